//! Ends from outside against everything that a task is going through at that moment: each time exactly one place is left.

use agenticai_domain::task::TaskStatus;
use agenticai_store::postgres::PostgresStore;
use agenticai_store::{AppendOutcome, EndOutcome, Leases, Tasks};
use agenticai_testkit::conformance::Lab;
use agenticai_testkit::conformance::lab::{RunExt, cancelled, child_of, entry, run, spend};
use tokio::task::JoinHandle;

use super::{Holder, places};
use crate::postgres::fixture::lab;
use agenticai_domain::ids::TaskId;
use agenticai_store::Journal;

/// Cancelled, in no queue, in nobody's hands.
const ENDED: (i16, i64, i64) = (5, 0, 0);

fn cancel(lab: &Lab, store: &PostgresStore, task: TaskId, seq: u64) -> JoinHandle<EndOutcome> {
    let (store, tenant) = (store.clone(), lab.tenant);
    tokio::spawn(async move { store.end_task(tenant, task, seq, cancelled(), spend(0)).await.unwrap() })
}

/// The worker's entry was there first, although it is not committed yet: the cancel comes to the next seq.
#[tokio::test]
async fn a_cancel_loses_the_seq_to_an_append_in_flight() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    // It has written its entry and stands before its child.
    let child = child_of(&claimed, 0);
    let holder = Holder::hold(
        &options,
        &format!(
            "INSERT INTO tasks (id, bucket, tenant, agent, agent_version, priority, depth, format, created_at, input)
             SELECT '{}', bucket, tenant, agent, 1, 5, 1, 1, 1, '' FROM tasks WHERE id = '{task}'",
            child.id
        ),
    )
    .await;
    let (appender, mine) = (store.clone(), run(&claimed, 1, vec![entry("mine")]).with_children(vec![child]));
    let append = tokio::spawn(async move { appender.append(worker, vec![mine]).await.unwrap() });
    holder.until_waited_for(1).await;
    let end = cancel(&lab, &store, task, 1);
    holder.until_waited_for(2).await;
    holder.vanish().await;
    assert!(matches!(append.await.unwrap()[..], [AppendOutcome::Accepted { .. }]));
    assert_eq!(end.await.unwrap(), EndOutcome::Overtaken);
    assert_eq!(cancel(&lab, &store, task, 2).await.unwrap(), EndOutcome::Ended);
    assert_eq!(places(&options, task).await, ENDED);
    assert_eq!(lab.seqs(task).await, [1, 2]);
}

/// The cancel was there first: the worker's whole run is refused, and it is told how the task ended.
#[tokio::test]
async fn an_append_loses_the_seq_to_a_cancel_in_flight() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let holder = Holder::hold(&options, &format!("SELECT 1 FROM held WHERE id = '{task}' FOR UPDATE")).await;
    let end = cancel(&lab, &store, task, 1);
    holder.until_waited_for(1).await;
    let (appender, late) = (store.clone(), run(&claimed, 1, vec![entry("late"), entry("later")]));
    let append = tokio::spawn(async move { appender.append(worker, vec![late]).await.unwrap() });
    holder.until_waited_for(2).await;
    holder.vanish().await;
    assert_eq!(end.await.unwrap(), EndOutcome::Ended);
    assert_eq!(append.await.unwrap(), [AppendOutcome::Terminal(TaskStatus::Cancelled)]);
    assert_eq!(places(&options, task).await, ENDED);
    assert_eq!(lab.seqs(task).await, [1]);
}

/// A claim has taken the task out of the queue and not yet given it to the worker.
#[tokio::test]
async fn a_cancel_finds_a_task_on_its_way_from_the_queue_to_a_worker() {
    let (lab, store, options) = lab().await;
    let task = lab.create(lab.new_task()).await.head.id;
    let worker = lab.worker().await;
    let holder = Holder::hold(
        &options,
        &format!(
            "INSERT INTO held (id, worker, task, bucket, tenant, priority, format, epoch, crashes, ready_at, started_at,
                               claimed_at)
             SELECT id, 0, num, bucket, tenant, 1, 1, 1, 0, 1, 1, 1 FROM tasks WHERE id = '{task}'"
        ),
    )
    .await;
    let claimer = store.clone();
    let claim = tokio::spawn(async move { claimer.claim(worker, 10.into()).await.unwrap() });
    holder.until_waited_for(1).await;
    let end = cancel(&lab, &store, task, 1);
    holder.until_waited_for(2).await;
    holder.vanish().await;
    assert_eq!(end.await.unwrap(), EndOutcome::Ended);
    assert_eq!(places(&options, task).await, ENDED);
    let claimed = claim.await.unwrap();
    assert_eq!(claimed.len(), 1, "it was claimed first");
    let late = run(&claimed[0], 1, vec![entry("late")]);
    assert_eq!(lab.append(worker, late).await, AppendOutcome::Terminal(TaskStatus::Cancelled));
}

/// A release has taken the task from the worker and not yet put it into the queue.
#[tokio::test]
async fn a_cancel_finds_a_task_on_its_way_back_to_the_queue() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let holder = Holder::ready(&options, task).await;
    let releaser = store.clone();
    let release = tokio::spawn(async move { releaser.release(worker, vec![task]).await.unwrap() });
    holder.until_waited_for(1).await;
    let end = cancel(&lab, &store, task, 1);
    holder.until_waited_for(2).await;
    holder.vanish().await;
    release.await.unwrap();
    assert_eq!(end.await.unwrap(), EndOutcome::Ended);
    assert_eq!(places(&options, task).await, ENDED);
    assert!(store.claim(worker, 10.into()).await.unwrap().is_empty());
}

/// The same with a takeover.
#[tokio::test]
async fn a_cancel_finds_a_task_that_is_being_taken_over() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let beats = store.observe_workers().await.unwrap()[0].beats;
    assert!(store.mark_dead(worker, beats).await.unwrap());
    let holder = Holder::ready(&options, task).await;
    let reaper = store.clone();
    let takeover = tokio::spawn(async move { reaper.take_over(10).await });
    holder.until_waited_for(1).await;
    let end = cancel(&lab, &store, task, 1);
    holder.until_waited_for(2).await;
    holder.vanish().await;
    assert_eq!(takeover.await.unwrap().unwrap(), 1);
    assert_eq!(end.await.unwrap(), EndOutcome::Ended);
    assert_eq!(places(&options, task).await, ENDED);
    let heir = lab.worker().await;
    assert!(store.claim(heir, 10.into()).await.unwrap().is_empty());
}
