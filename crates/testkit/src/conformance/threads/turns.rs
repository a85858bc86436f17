//! Whose turn it is: one task after another, until it has ended, however it ends.

use std::collections::HashSet;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskStatus;
use agenticai_domain::thread::IfActive::{Queue, Reject};
use agenticai_store::*;

use super::place;
use crate::conformance::Lab;
use crate::conformance::lab::{RunExt, completed, entry, run, spend, wait};

/// Tasks run one after another, in the order of their creation, and say where they stand.
pub async fn tasks_of_a_thread_take_turns(lab: Lab) {
    let thread = lab.thread(Some("talk")).await.id;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(lab.create_in(thread, Queue).await);
    }
    let ids: Vec<TaskId> = tasks.iter().map(|row| row.head.id).collect();
    assert_eq!(tasks.iter().map(place).collect::<Vec<_>>(), [None, Some(1), Some(2)]);
    assert!(tasks.iter().all(|row| row.status == TaskStatus::Pending));
    let named = tasks[1].thread.as_ref().map(|thread| (thread.id, thread.name.as_deref()));
    assert_eq!(named, Some((thread, Some("talk"))));
    let worker = lab.worker().await;
    for turn in 0..3 {
        let row = lab.thread_row(thread).await;
        assert_eq!((row.active, &row.queue[..]), (Some(ids[turn]), &ids[turn + 1..]));
        let claimed = lab.claim_this(worker, ids[turn]).await;
        assert!(claimed.in_thread);
        lab.nothing_is_ready(worker).await;
        lab.finish(worker, &claimed).await;
        assert_eq!(place(&lab.row(ids[turn]).await), None);
    }
    lab.nothing_is_ready(worker).await;
    assert_eq!(lab.thread_row(thread).await.active, None);
    // It begins anew.
    let next = lab.create_in(thread, Reject).await.head.id;
    lab.claim_this(worker, next).await;
}

/// Waits, hand-backs and the death of a worker do not end a turn.
pub async fn a_turn_lasts_until_the_end(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let first = lab.create_in(thread, Queue).await.head.id;
    let second = lab.create_in(thread, Queue).await.head.id;
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, first).await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(0, None))).await;
    lab.nothing_is_ready(worker).await;
    assert_eq!(lab.row(first).await.status, TaskStatus::Waiting);
    lab.signal(first, "go").await;
    lab.claim_this(worker, first).await;
    lab.store.release(worker, vec![first]).await.unwrap();
    lab.claim_this(worker, first).await;
    assert_eq!(lab.kill(worker).await, 1);
    let heir = lab.worker().await;
    let claimed = lab.claim_this(heir, first).await;
    lab.nothing_is_ready(heir).await;
    assert_eq!(lab.thread_row(thread).await.active, Some(first));
    lab.finish(heir, &claimed).await;
    lab.claim_this(heir, second).await;
}

/// An end from outside gives the next one its turn, once, however many try and whatever the worker still sends.
pub async fn a_cancel_hands_the_thread_on_once(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(lab.create_in(thread, Queue).await.head.id);
    }
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, ids[0]).await;
    let mut cancels = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, tenant, task) = (lab.store.clone(), lab.tenant, ids[0]);
        cancels.spawn(async move { cancel(store.as_ref(), tenant, task, "no more").await.unwrap() });
    }
    let ended = cancels.join_all().await;
    let won = |o: &&CancelOutcome| matches!(o, CancelOutcome::Cancelled { in_thread: true, .. });
    assert_eq!(ended.iter().filter(won).count(), 1);
    let end = Then::End { end: completed("too late"), spend: spend(1) };
    let late = lab.append(worker, run(&claimed, 1, vec![entry("a")]).then(end)).await;
    assert!(!matches!(late, AppendOutcome::Accepted { .. }), "{late:?}");
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, &row.queue[..]), (Some(ids[1]), &ids[2..]));
    // One that is ready, and one that waits for something.
    lab.end(ids[1]).await;
    let claimed = lab.claim_this(worker, ids[2]).await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(0, None))).await;
    cancel(lab.store.as_ref(), lab.tenant, ids[2], "no more").await.unwrap();
    lab.claim_this(worker, ids[3]).await;
}

/// The run that ends a task and the cancel of the next one in the queue meet: nobody is lost, nobody runs twice.
pub async fn ends_and_cancels_of_one_thread_meet(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let worker = lab.worker().await;
    for _ in 0..10 {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(lab.create_in(thread, Queue).await.head.id);
        }
        let claimed = lab.claim_this(worker, ids[0]).await;
        let (store, tenant, second) = (lab.store.clone(), lab.tenant, ids[1]);
        let cancelling =
            tokio::spawn(async move { cancel(store.as_ref(), tenant, second, "no more").await.unwrap() });
        lab.finish(worker, &claimed).await;
        cancelling.await.unwrap();
        assert_eq!(lab.row(second).await.status, TaskStatus::Cancelled);
        let claimed = lab.claim_this(worker, ids[2]).await;
        lab.finish(worker, &claimed).await;
        let row = lab.thread_row(thread).await;
        assert_eq!((row.active, row.queue.len(), row.superseded.len()), (None, 0, 0));
    }
}

/// A task that waits for its turn can be cancelled; those behind it move up.
pub async fn a_queued_task_can_be_cancelled(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(lab.create_in(thread, Queue).await.head.id);
    }
    lab.end(ids[1]).await;
    assert_eq!(lab.row(ids[1]).await.status, TaskStatus::Cancelled);
    assert_eq!(lab.seqs(ids[1]).await, [1]);
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.queue), (Some(ids[0]), vec![ids[2]]));
    assert_eq!(place(&lab.row(ids[2]).await), Some(1));
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, ids[0]).await;
    lab.finish(worker, &claimed).await;
    lab.claim_this(worker, ids[2]).await;
}

/// Sixteen creators at once: one task is active at any time, all run, in the order in which they were committed.
pub async fn concurrent_creators_form_one_queue(lab: Lab) {
    const CREATORS: usize = 16;
    let thread = lab.thread(None).await.id;
    let mut creators = tokio::task::JoinSet::new();
    for n in 0..CREATORS {
        let (store, task) = (lab.store.clone(), lab.new_task());
        creators.spawn(async move {
            // Some arrive later than others.
            tokio::time::sleep(std::time::Duration::from_millis(n as u64 % 4)).await;
            let thread = Some(InThread { id: thread, if_active: Queue });
            let id = task.id;
            let outcome = store.create_task(CreateTask { task, idempotency: None, thread }).await.unwrap();
            assert!(matches!(outcome, CreateTaskOutcome::Created(_)), "{outcome:?}");
            id
        });
    }
    // Two workers take whatever is ready meanwhile.
    let mut order = Vec::new();
    let workers = [lab.worker().await, lab.worker().await];
    let mut made: HashSet<TaskId> = HashSet::new();
    while order.len() < CREATORS {
        while let Some(id) = creators.try_join_next() {
            made.insert(id.unwrap());
        }
        for (worker, other) in [(workers[0], workers[1]), (workers[1], workers[0])] {
            let claimed = lab.store.claim(worker, 10.into()).await.unwrap();
            assert!(claimed.len() <= 1, "two tasks of a thread were ready");
            let Some(claimed) = claimed.first() else { continue };
            assert_eq!(
                lab.store.claim(other, 10.into()).await.unwrap(),
                [],
                "two tasks of a thread were ready"
            );
            let before = lab.thread_row(thread).await;
            assert_eq!(before.active, Some(claimed.head.id));
            lab.finish(worker, claimed).await;
            let after = lab.thread_row(thread).await;
            assert_eq!(after.active, before.queue.first().copied().or(after.active));
            order.push(claimed.head.id);
        }
        tokio::task::yield_now().await;
    }
    made.extend(creators.join_all().await);
    assert_eq!(order.iter().copied().collect::<HashSet<_>>(), made);
    // Lists are in the order of commits, newest first.
    let filter = TaskFilter { thread: Some(thread), ..TaskFilter::default() };
    let page = lab.store.list_tasks(lab.tenant, filter, None, 100).await.unwrap();
    let mut listed: Vec<TaskId> = page.items.iter().map(|row| row.head.id).collect();
    listed.reverse();
    assert_eq!(order, listed);
}
