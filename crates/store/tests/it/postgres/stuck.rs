//! Tasks that do not move although they should.

use std::time::Duration;

use agenticai_domain::task::TaskStatus;
use agenticai_store::postgres::{Connection, Mended, PostgresOptions, PostgresStore, StuckReason};
use agenticai_store::{EndOutcome, Leases, Tasks};
use agenticai_testkit::conformance::Lab;
use agenticai_testkit::conformance::lab::{RunExt, cancelled, child_of, entry, run, spend, wait};

use super::fixture::lab;

const BOUND: Duration = Duration::from_secs(900);

async fn perform(options: &PostgresOptions, sql: &str) {
    Connection::open(options).await.unwrap().script(sql).await.unwrap();
}

async fn reasons(store: &PostgresStore) -> Vec<StuckReason> {
    store.stuck(BOUND, 10).await.unwrap().into_iter().map(|stuck| stuck.reason).collect()
}

async fn mend(store: &PostgresStore) -> Vec<Mended> {
    let (mended, next) = store.mend(0).await.unwrap();
    assert_eq!(next, 0, "all tasks are one slice");
    mended
}

#[tokio::test]
async fn ready_tasks_are_stuck_while_workers_live_and_take_none() {
    let (lab, store, options) = lab().await;
    let task = lab.create(lab.new_task()).await.head.id;
    perform(&options, "UPDATE ready SET ready_at = ready_at - 1000000").await;
    assert_eq!(reasons(&store).await, [], "no worker lives");
    let worker = lab.worker().await;
    let stuck = store.stuck(BOUND, 10).await.unwrap();
    assert_eq!((stuck.len(), stuck[0].task, stuck[0].tenant), (1, task, lab.tenant));
    assert_eq!(stuck[0].reason, StuckReason::Unclaimed);
    assert!(stuck[0].since >= Duration::from_secs(1_000));
    assert_eq!(store.stuck(Duration::from_secs(2_000), 10).await.unwrap(), []);
    lab.claim_one(worker).await;
    assert_eq!(reasons(&store).await, []);
}

#[tokio::test]
async fn a_held_task_is_stuck_until_its_worker_commits_something() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    assert_eq!(reasons(&store).await, []);
    perform(&options, "UPDATE held SET claimed_at = claimed_at - 1000000").await;
    assert_eq!(reasons(&store).await, [StuckReason::Silent]);
    lab.accept(worker, run(&claimed, 1, vec![entry("a")])).await;
    assert_eq!(reasons(&store).await, []);
    perform(&options, "UPDATE journal SET at = at - 1000000").await;
    assert_eq!(reasons(&store).await, [StuckReason::Silent]);
    let beats = lab.store.observe_workers().await.unwrap()[0].beats;
    store.mark_dead(worker, beats).await.unwrap();
    assert_eq!(reasons(&store).await, [], "its tasks are taken over anyway");
}

/// One of each place, and none of them is touched.
async fn in_every_place(lab: &Lab) {
    lab.create(lab.new_task()).await;
    lab.store.declare_restored().await.unwrap();
    lab.waiting(None).await;
    lab.running().await;
    lab.create(lab.new_task()).await;
}

#[tokio::test]
async fn a_task_without_a_place_is_ready_again() {
    let (lab, store, options) = lab().await;
    in_every_place(&lab).await;
    let (worker, claimed) = (lab.worker().await, lab.create(lab.new_task()).await.head.id);
    assert_eq!(mend(&store).await, []);
    perform(
        &options,
        &format!("DELETE FROM ready WHERE task = (SELECT num FROM tasks WHERE id = '{claimed}')"),
    )
    .await;
    let mended = Mended { tenant: lab.tenant, task: claimed, reason: StuckReason::NoPlace };
    assert_eq!(mend(&store).await, std::slice::from_ref(&mended));
    assert_eq!(mend(&store).await, []);
    let given = lab.store.claim(worker, 10.into()).await.unwrap();
    let again = given.iter().find(|given| given.head.id == claimed).unwrap();
    lab.accept(worker, run(again, 1, vec![entry("a")])).await;
    // In the hands of a worker once, it goes on under an epoch above that one's.
    perform(&options, &format!("DELETE FROM held WHERE id = '{claimed}'")).await;
    assert_eq!(mend(&store).await, [mended]);
    let later = lab.claim_one(worker).await;
    assert_eq!((later.head.id, later.last_seq), (claimed, 1));
    assert!(later.epoch > again.epoch);
}

#[tokio::test]
async fn a_task_without_a_place_can_be_cancelled() {
    let (lab, store, options) = lab().await;
    let task = lab.create(lab.new_task()).await.head.id;
    perform(&options, "DELETE FROM ready").await;
    let ended = store.end_task(lab.tenant, task, 1, cancelled(), spend(0)).await.unwrap();
    assert_eq!(ended, EndOutcome::Ended);
    assert_eq!(lab.row(task).await.status, TaskStatus::Cancelled);
}

#[tokio::test]
async fn a_parent_that_was_not_told_is_told() {
    let (lab, store, options) = lab().await;
    let (worker, parent) = lab.running().await;
    let child = child_of(&parent, 0);
    let waits = run(&parent, 1, vec![entry("a")]).with_children(vec![child.clone()]).then(wait(0, None));
    lab.accept(worker, waits).await;
    assert_eq!(mend(&store).await, []);
    lab.store.end_task(lab.tenant, child.id, 1, cancelled(), spend(0)).await.unwrap();
    perform(&options, "DELETE FROM inbox; DELETE FROM ready").await;
    let forget = format!("UPDATE tasks SET status = 2, inbox_seq = 0 WHERE id = '{}'", parent.head.id);
    perform(&options, &forget).await;
    let mended = mend(&store).await;
    assert_eq!(
        mended.iter().map(|m| (m.task, m.reason)).collect::<Vec<_>>(),
        [(parent.head.id, StuckReason::ChildEnded)]
    );
    assert_eq!(mend(&store).await, []);
    assert_eq!(lab.claim_one(worker).await.inbox_seq, 1);
    assert_eq!(lab.store.inbox(parent.head.id, 0).await.unwrap().len(), 1);
}
