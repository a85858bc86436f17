//! A database that went back, or is a copy: who notices, and what it takes to go on.

use agenticai_domain::ids::TaskId;
use agenticai_store::postgres::{ConnectError, PostgresOptions, PostgresStore};
use agenticai_store::{AppendOutcome, Beat, Leases, Maintenance, PausedTasks};
use agenticai_testkit::conformance::lab::{entry, run};
use agenticai_testkit::servers::postgres::shared;

use super::fixture::{PostgresFixture, lab};
use super::races::{Holder, places};

async fn perform(options: &PostgresOptions, sql: &str) {
    agenticai_store::postgres::Connection::open(options).await.unwrap().script(sql).await.unwrap();
}

/// Why a process does not begin to work.
async fn refused(options: &PostgresOptions) -> String {
    match PostgresStore::connect(options.clone()).await {
        Err(error @ ConnectError::Restored(_)) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

/// What a worker has beaten since the point that the database went back to is unknown there. Its appends are refused
/// before its next beat says so; then nobody is given anything until the restore is declared.
#[tokio::test]
async fn a_worker_that_lives_on_finds_that_the_database_went_back() {
    for earlier in ["UPDATE workers SET beats = 1", "DELETE FROM workers"] {
        let (lab, store, options) = lab().await;
        let (worker, claimed) = lab.running().await;
        for _ in 0..3 {
            assert!(matches!(lab.store.beat(worker).await.unwrap(), Beat::Alive { .. }));
        }
        lab.accept(worker, run(&claimed, 1, vec![entry("lost")])).await;
        perform(&options, &format!("{earlier}; DELETE FROM journal")).await;
        let outcome = lab.append(worker, run(&claimed, 2, vec![entry("a hole before it")])).await;
        assert_eq!(outcome, AppendOutcome::Fenced, "{earlier}");
        match lab.store.beat(worker).await.unwrap() {
            Beat::WentBack { why } => assert!(why.contains("agenticai admin restored"), "{why}"),
            other => panic!("{earlier}: {other:?}"),
        }
        let other = lab.worker().await;
        lab.create(lab.new_task()).await;
        assert_eq!(lab.store.claim(other, 10.into()).await.unwrap(), [], "{earlier}");
        assert!(refused(&options).await.contains("agenticai admin restored"), "{earlier}");
        assert!(!store.accept_copy().await.unwrap(), "it is not complete");

        assert_eq!(lab.store.declare_restored().await.unwrap(), 2);
        PostgresStore::connect(options).await.unwrap();
        assert_eq!(lab.store.release_paused(PausedTasks::One(claimed.head.id)).await.unwrap(), 1);
        let heir = lab.worker().await;
        let again = lab.claim_one(heir).await;
        assert_eq!((again.head.id, again.last_seq), (claimed.head.id, 0));
        lab.accept(heir, run(&again, 1, vec![entry("again")])).await;
    }
}

/// A worker that was declared dead is no sign of anything.
#[tokio::test]
async fn a_death_is_no_restore() {
    let (lab, store, options) = lab().await;
    let worker = lab.worker().await;
    lab.store.beat(worker).await.unwrap();
    lab.kill(worker).await;
    assert_eq!(store.beat(worker).await.unwrap(), Beat::Dead);
    assert_eq!(store.beat(worker).await.unwrap(), Beat::Dead);
    PostgresStore::connect(options).await.unwrap();
}

/// As after a dump that was restored elsewhere: the numbers of server and database are others.
#[tokio::test]
async fn a_copy_is_noticed_until_it_is_declared() {
    let fixture = PostgresFixture::open().await;
    let lab = agenticai_testkit::conformance::Lab::new(Box::new(PostgresFixture {
        store: fixture.store.clone(),
        options: fixture.options.clone(),
    }))
    .await;
    lab.create(lab.new_task()).await;
    fixture.store.close();
    let name = fixture.options.url.rsplit('/').next().unwrap().to_owned();
    let copy = async || {
        for _ in 0..100 {
            if let Ok(database) = shared().await.unwrap().create_database(Some(&name)).await {
                return PostgresOptions::new(&database.url);
            }
            // Connections that were closed end a moment later.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("somebody stays connected to {name}");
    };
    let (complete, earlier) = (copy().await, copy().await);
    for options in [&complete, &earlier] {
        assert!(refused(options).await.contains("is a copy"));
    }
    let store = PostgresStore::connect_to_administer(complete.clone()).await.unwrap();
    assert!(store.accept_copy().await.unwrap());
    assert_eq!(store.release_paused(PausedTasks::All).await.unwrap(), 0, "nothing was paused");
    PostgresStore::connect(complete).await.unwrap();
    let store = PostgresStore::connect_to_administer(earlier.clone()).await.unwrap();
    assert_eq!(store.declare_restored().await.unwrap(), 1);
    PostgresStore::connect(earlier).await.unwrap();
}

/// A new timeline is what every failover brings: it is said and stops nobody.
#[tokio::test]
async fn a_promoted_server_is_no_restore() {
    let fixture = PostgresFixture::open().await;
    perform(&fixture.options, "UPDATE installation SET timeline = timeline - 1").await;
    PostgresStore::connect(fixture.options.clone()).await.unwrap();
    let row = &fixture.connection().await.rows("SELECT timeline FROM installation", &[]).await.unwrap()[0];
    assert_eq!(row.get::<_, i64>(0), 1);
}

/// The statement that pauses a task waits for the worker that hands it back, and cannot see where to.
#[tokio::test]
async fn a_task_that_is_being_handed_back_is_paused_all_the_same() {
    let (lab, store, options) = lab().await;
    let (_, claimed) = lab.running().await;
    let task: TaskId = claimed.head.id;
    let back = format!(
        "WITH back AS (DELETE FROM held WHERE id = '{task}' RETURNING *)
         INSERT INTO ready (task, tenant, priority, format, epoch, crashes, ready_at, started_at)
         SELECT task, tenant, priority, format, epoch + 1, crashes, 1, started_at FROM back"
    );
    let holder = Holder::hold(&options, &back).await;
    let declared = tokio::spawn(async move { store.declare_restored().await.unwrap() });
    holder.until_waited_for(1).await;
    holder.commit().await;
    assert_eq!(declared.await.unwrap(), 1);
    assert_eq!(places(&options, task).await, (0, 0, 0));
    assert!(lab.row(task).await.paused_at.is_some());
    assert_eq!(lab.store.release_paused(PausedTasks::All).await.unwrap(), 1);
    let heir = lab.worker().await;
    assert!(lab.claim_one(heir).await.epoch > 1_000_000);
}
