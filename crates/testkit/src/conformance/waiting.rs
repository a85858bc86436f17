//! Waits, the inbox and timers.

use agenticai_domain::task::TaskStatus;
use agenticai_store::{AppendOutcome, DeliverOutcome, Then};

use super::Lab;
use super::lab::{RunExt, completed, entry, run, signal, spend, wait, waiting_for};

/// A message to a task that does not wait yet is there when it does.
pub async fn a_signal_before_its_wait_is_kept(lab: Lab) {
    let task = lab.create(lab.new_task()).await.head.id;
    assert_eq!(lab.signal(task, "early").await, DeliverOutcome::Delivered);
    let worker = lab.worker().await;
    let claimed = lab.claim_one(worker).await;
    assert_eq!(claimed.inbox_seq, 1);
    let messages = lab.store.inbox(task, 0).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].id, &messages[0].body), (1, &signal("early")));
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(1, None))).await;
    assert_eq!(
        lab.row(task).await.status,
        TaskStatus::Waiting,
        "it has seen the message and waits for another"
    );
}

/// The message that comes between the last look and the wait is not lost: the wait is refused.
pub async fn a_signal_between_look_and_wait_refuses_the_wait(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let seen = lab.store.inbox(claimed.head.id, 0).await.unwrap().len() as u64;
    lab.signal(claimed.head.id, "now").await;
    let waiting = run(&claimed, 1, vec![entry("a")]).then(wait(seen, None));
    assert_eq!(lab.append(worker, waiting).await, AppendOutcome::InboxMoved);
    assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Running, "the worker goes on");
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(seen + 1, None))).await;
}

/// Refused with InboxMoved, the run leaves the task with its worker and the journal as it was.
pub async fn a_refused_wait_writes_nothing(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.signal(claimed.head.id, "now").await;
    let refused = run(&claimed, 1, vec![entry("a"), entry("b"), entry("c")]).then(wait(0, Some(1)));
    assert_eq!(lab.append(worker, refused.clone()).await, AppendOutcome::InboxMoved);
    assert_eq!(lab.append(worker, refused).await, AppendOutcome::InboxMoved, "also when it is sent again");
    assert!(lab.seqs(claimed.head.id).await.is_empty());
    assert_eq!(lab.store.wake_due(10).await.unwrap(), 0);
    assert_eq!(lab.row(claimed.head.id).await.spend, Default::default());
}

/// A waiting task says for what, and a message makes it ready.
pub async fn a_signal_wakes_a_waiting_task(lab: Lab) {
    let (worker, task) = lab.waiting(None).await;
    let row = lab.row(task).await;
    assert_eq!(
        (row.status, row.waiting_for, row.spend),
        (TaskStatus::Waiting, vec![waiting_for()], spend(1))
    );
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty(), "nobody has it");
    assert_eq!(lab.store.backlog().await.unwrap().0, 0);
    assert_eq!(lab.signal(task, "go").await, DeliverOutcome::Delivered);
    let row = lab.row(task).await;
    assert_eq!((row.status, row.waiting_for), (TaskStatus::Pending, vec![]));
    assert_eq!(lab.signal(task, "more").await, DeliverOutcome::Delivered);
    let claimed = lab.claim_one(worker).await;
    assert_eq!((claimed.last_seq, claimed.inbox_seq), (1, 2));
}

/// A message that was delivered is not delivered again, and wakes nobody again.
pub async fn a_duplicate_changes_nothing(lab: Lab) {
    let (worker, task) = lab.waiting(None).await;
    assert_eq!(lab.signal(task, "once").await, DeliverOutcome::Delivered);
    let claimed = lab.claim_one(worker).await;
    lab.accept(worker, run(&claimed, 2, vec![entry("b")]).then(wait(1, None))).await;
    assert_eq!(lab.signal(task, "once").await, DeliverOutcome::Duplicate);
    assert_eq!(lab.row(task).await.status, TaskStatus::Waiting);
    assert_eq!(lab.store.inbox(task, 0).await.unwrap().len(), 1);
    let another = lab.create(lab.new_task()).await.head.id;
    assert_eq!(
        lab.signal(another, "once").await,
        DeliverOutcome::Delivered,
        "unique in the task, not beyond"
    );
}

/// Messages are numbered from 1 in the order of delivery, and read from where one asks.
pub async fn messages_are_numbered_without_holes(lab: Lab) {
    let task = lab.create(lab.new_task()).await.head.id;
    for name in ["a", "b", "b", "c"] {
        lab.signal(task, name).await;
    }
    let messages = lab.store.inbox(task, 0).await.unwrap();
    let expected: Vec<_> = (1..).zip(["a", "b", "c"].map(signal)).collect();
    assert_eq!(messages.into_iter().map(|m| (m.id, m.body)).collect::<Vec<_>>(), expected);
    let rest = lab.store.inbox(task, 2).await.unwrap();
    assert_eq!(rest.iter().map(|m| m.id).collect::<Vec<_>>(), [3]);
    assert!(lab.store.inbox(task, 3).await.unwrap().is_empty());
}

/// Of concurrent deliveries with one dedupe id one goes in.
pub async fn concurrent_duplicates_are_delivered_once(lab: Lab) {
    let (_, task) = lab.waiting(None).await;
    let deliveries = (0..8).map(|_| {
        let (store, tenant) = (lab.store.clone(), lab.tenant);
        tokio::spawn(
            async move { store.deliver(tenant, task, "same".to_owned(), signal("same")).await.unwrap() },
        )
    });
    let mut delivered = 0;
    for delivery in deliveries.collect::<Vec<_>>() {
        match delivery.await.unwrap() {
            DeliverOutcome::Delivered => delivered += 1,
            DeliverOutcome::Duplicate => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(delivered, 1);
    assert_eq!(lab.store.inbox(task, 0).await.unwrap().len(), 1);
}

/// After the end nothing is taken, and the sender is told how it ended.
pub async fn a_task_that_ended_takes_no_messages(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let end = Then::End { end: completed("x"), spend: spend(1) };
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(end)).await;
    let outcome = lab.signal(claimed.head.id, "late").await;
    assert_eq!(outcome, DeliverOutcome::AlreadyTerminal(TaskStatus::Completed));
    assert!(lab.store.inbox(claimed.head.id, 0).await.unwrap().is_empty());
    assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Completed);
}

/// A wait that adds no entry is recognized when it is sent again, also once the task is ready.
pub async fn a_wait_without_entries_is_recognized(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let waiting = run(&claimed, 1, vec![]).then(wait(0, None));
    let at = lab.accept(worker, waiting.clone()).await;
    assert_eq!(lab.append(worker, waiting.clone()).await, AppendOutcome::AlreadyMine { at });
    lab.signal(claimed.head.id, "go").await;
    assert_eq!(lab.append(worker, waiting).await, AppendOutcome::AlreadyMine { at });
    let other = run(&claimed, 1, vec![]).then(wait(1, None));
    assert_eq!(lab.append(worker, other).await, AppendOutcome::Fenced);
}

/// A timer makes its task ready when its time has come, not before, and at most as many as asked for.
pub async fn timers_wake_when_due(lab: Lab) {
    assert_eq!(lab.store.next_due_in().await.unwrap(), None);
    let now = lab.store.now().await.unwrap();
    let (_, later) = lab.waiting(Some(now + 3_600_000)).await;
    let due_in = lab.store.next_due_in().await.unwrap().expect("one waits for a time");
    assert!((3_500_000..=3_600_000).contains(&due_in), "{due_in}");
    assert_eq!(lab.store.wake_due(10).await.unwrap(), 0);
    let (_, first) = lab.waiting(Some(now - 2)).await;
    let (_, second) = lab.waiting(Some(now - 1)).await;
    assert_eq!(lab.store.next_due_in().await.unwrap(), Some(0));
    assert_eq!(lab.store.wake_due(1).await.unwrap(), 1);
    assert_eq!(lab.row(first).await.status, TaskStatus::Pending, "the one that was due first");
    assert_eq!(lab.store.wake_due(10).await.unwrap(), 1);
    assert_eq!(lab.store.wake_due(10).await.unwrap(), 0);
    assert_eq!(lab.row(second).await.status, TaskStatus::Pending);
    assert_eq!(lab.row(later).await.status, TaskStatus::Waiting);
}

/// The deadline of a task wakes it, however long it wanted to wait.
pub async fn a_deadline_ends_a_wait(lab: Lab) {
    let worker = lab.worker().await;
    for wake_in in [None, Some(3_600_000)] {
        let mut task = lab.new_task();
        task.timeout_ms = Some(1);
        let deadline = lab.create(task).await.head.deadline_at.unwrap();
        let claimed = lab.claim_one(worker).await;
        let wake_at = wake_in.map(|ms| deadline + ms);
        lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(0, wake_at))).await;
        while lab.store.now().await.unwrap() < deadline {
            tokio::task::yield_now().await;
        }
        assert_eq!(lab.store.wake_due(10).await.unwrap(), 1);
        lab.claim_one(worker).await;
    }
}

/// Once it is ready, the timer that it had is gone.
pub async fn a_signal_stops_the_timer(lab: Lab) {
    let now = lab.store.now().await.unwrap();
    let (worker, task) = lab.waiting(Some(now - 1)).await;
    lab.signal(task, "go").await;
    assert_eq!(lab.store.wake_due(10).await.unwrap(), 0);
    assert_eq!(lab.store.next_due_in().await.unwrap(), None);
    lab.claim_one(worker).await;
    assert_eq!(lab.store.wake_due(10).await.unwrap(), 0);
    assert_eq!(lab.row(task).await.status, TaskStatus::Running);
}

/// Nobody reaches into another tenant's inbox.
pub async fn inboxes_belong_to_their_tenant(lab: Lab) {
    let (_, task) = lab.waiting(None).await;
    let (other, _) = lab.other_tenant().await;
    let outcome = lab.store.deliver(other, task, "x".to_owned(), signal("x")).await.unwrap();
    assert_eq!(outcome, DeliverOutcome::NotFound);
    assert!(lab.store.inbox(task, 0).await.unwrap().is_empty());
    assert_eq!(lab.row(task).await.status, TaskStatus::Waiting);
}
