//! Partitions, and the end of what they hold.

use agenticai_domain::task::TaskStatus;
use agenticai_store::postgres::{Connection, Housekept};
use agenticai_store::{Bootstrap, CreateTaskOutcome, Identity, Then};
use agenticai_testkit::conformance::lab::{RunExt, completed, entry, run, spend};

use super::fixture::{PostgresFixture, lab};

const DAY: i64 = 24 * 60 * 60 * 1000;

async fn partitions(options: &agenticai_store::postgres::PostgresOptions) -> i64 {
    let connection = Connection::open(options).await.unwrap();
    let sql = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'journal'::regclass";
    connection.rows(sql, &[]).await.unwrap()[0].get(0)
}

/// A bucket goes as a whole once everything in it is past its retention; what is not is moved on with its journal, its
/// inbox and its key.
#[tokio::test]
async fn what_has_ended_long_ago_is_dropped_and_what_has_not_moves_on() {
    let (lab, store, options) = lab().await;
    let made = store.housekeep().await.unwrap();
    assert_eq!(made, Housekept { made: 3, ..Housekept::default() });
    assert_eq!(partitions(&options).await, 4, "three and the rest");
    assert_eq!(store.housekeep().await.unwrap(), Housekept::default());

    let (worker, task) = lab.waiting(None).await;
    lab.signal(task, "kept").await;
    let claimed = lab.claim_one(worker).await;
    lab.accept(
        worker,
        run(&claimed, 2, vec![entry("b")]).then(agenticai_testkit::conformance::lab::wait(1, None)),
    )
    .await;
    let ended = lab.new_task();
    let ended_id = ended.id;
    lab.create_with_key(ended, "key", 1).await;
    let claimed = lab.claim_one(worker).await;
    let end = Then::End { end: completed("x"), spend: spend(1) };
    lab.accept(worker, run(&claimed, 1, vec![entry("x")]).then(end)).await;

    let now = lab.store.now().await.unwrap();
    let early = store.housekeep_at(now + 20 * DAY).await.unwrap();
    assert_eq!((early.removed, early.rehomed, early.dropped), (0, 0, 0), "its time is not over");
    let late = store.housekeep_at(now + 50 * DAY).await.unwrap();
    assert_eq!((late.removed, late.rehomed), (1, 1));
    assert!(late.dropped >= 1);
    assert_eq!(lab.store.task(lab.tenant, ended_id).await.unwrap(), None);
    assert_eq!(lab.store.task_by_key(lab.tenant, "key".to_owned()).await.unwrap(), None);
    let again = lab.create_with_key(lab.new_task(), "key", 2).await;
    assert!(matches!(again, CreateTaskOutcome::Created(_)), "its key is free");
    lab.store.claim(worker, 10.into()).await.unwrap();

    assert_eq!(lab.seqs(task).await, [1, 2], "its journal went with it");
    assert_eq!(lab.store.inbox(task, 0).await.unwrap().len(), 1);
    assert_eq!(lab.row(task).await.status, TaskStatus::Waiting);
    lab.signal(task, "go").await;
    let claimed = lab.claim_one(worker).await;
    assert_eq!((claimed.last_seq, claimed.inbox_seq), (2, 2));
    lab.accept(worker, run(&claimed, 3, vec![entry("c")])).await;
}

/// What a worker holds stays where it is until it lets go, and its bucket with it.
#[tokio::test]
async fn what_is_held_keeps_its_bucket() {
    let (lab, store, _) = lab().await;
    store.housekeep().await.unwrap();
    let (worker, claimed) = lab.running().await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")])).await;
    let now = lab.store.now().await.unwrap();
    let done = store.housekeep_at(now + 50 * DAY).await.unwrap();
    assert_eq!((done.removed, done.rehomed), (0, 0));
    lab.accept(worker, run(&claimed, 2, vec![entry("b")])).await;
    lab.store.release(worker, vec![claimed.head.id]).await.unwrap();
    assert_eq!(store.housekeep_at(now + 50 * DAY).await.unwrap().rehomed, 1);
    assert_eq!(lab.seqs(claimed.head.id).await, [1, 2]);
}

/// A tenant is made with its time.
#[tokio::test]
async fn new_tenants_have_the_retention_that_they_are_made_with() {
    let PostgresFixture { store, options } = PostgresFixture::open().await;
    let new = |tenant: &str, key, retention_days| Bootstrap {
        tenant: tenant.to_owned(),
        user: "ada".to_owned(),
        key: [key; 32],
        retention_days,
    };
    store.bootstrap(new("first", 1, 7)).await.unwrap().unwrap();
    assert!(store.bootstrap(new("first", 2, 9)).await.unwrap().is_none());
    store.create_tenant(new("second", 3, 8)).await.unwrap().unwrap();
    assert!(store.create_tenant(new("second", 4, 9)).await.unwrap().is_none());
    let connection = Connection::open(&options).await.unwrap();
    let rows = connection.rows("SELECT retention_days FROM tenants ORDER BY num", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [7, 8]);
}

/// Each tenant has its own time.
#[tokio::test]
async fn retention_is_per_tenant() {
    let (lab, store, _) = lab().await;
    assert!(store.set_retention("home", 400).await.unwrap());
    assert!(!store.set_retention("nobody", 400).await.unwrap());
    let (worker, claimed) = lab.running().await;
    let end = Then::End { end: completed("x"), spend: spend(1) };
    lab.accept(worker, run(&claimed, 1, vec![entry("x")]).then(end)).await;
    let now = lab.store.now().await.unwrap();
    assert_eq!(store.housekeep_at(now + 390 * DAY).await.unwrap().removed, 0);
    assert_eq!(store.housekeep_at(now + 420 * DAY).await.unwrap().removed, 1);
}
