//! What becomes of a task that comes while another one of its thread is active.

use std::collections::HashSet;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskStatus;
use agenticai_domain::thread::IfActive::{Interrupt, Queue, Reject, Replace};
use agenticai_domain::thread::{IfActive, MOST_QUEUED};
use agenticai_store::*;

use super::place;
use crate::conformance::Lab;

/// With `reject` nothing is created while a task is active, and the client's key stays free.
pub async fn reject_creates_nothing_while_one_is_active(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let active = lab.create_in(thread, Reject).await.head.id;
    let refused = lab.new_task();
    let create = CreateTask {
        task: refused.clone(),
        idempotency: Some(Idempotency { key: "k".to_owned(), body: [1; 32] }),
        thread: Some(InThread { id: thread, if_active: Reject }),
    };
    let outcome = lab.store.create_task(create.clone()).await.unwrap();
    assert_eq!(outcome, CreateTaskOutcome::ThreadBusy(active));
    assert_eq!(lab.store.task(lab.tenant, refused.id).await.unwrap(), None);
    assert_eq!(lab.store.task_by_key(lab.tenant, "k".to_owned()).await.unwrap(), None);
    lab.end(active).await;
    assert!(matches!(lab.store.create_task(create).await.unwrap(), CreateTaskOutcome::Created(_)));
    assert_eq!(lab.thread_row(thread).await.active, Some(refused.id));
}

/// With `interrupt` the active task is to be cancelled; the new one starts after its end, before those that wait.
pub async fn interrupt_goes_before_the_queue(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let active = lab.create_in(thread, Queue).await.head.id;
    let queued = lab.create_in(thread, Queue).await.head.id;
    let worker = lab.worker().await;
    lab.claim_this(worker, active).await;
    let urgent = lab.create_in(thread, Interrupt).await;
    assert_eq!(place(&urgent), Some(1));
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.superseded), (Some(active), vec![active]));
    assert_eq!(row.queue, [urgent.head.id, queued]);
    // Not before the old one's last entry.
    lab.nothing_is_ready(worker).await;
    assert_eq!(lab.sweep().await, [active]);
    assert_eq!(lab.row(active).await.status, TaskStatus::Cancelled);
    let claimed = lab.claim_this(worker, urgent.head.id).await;
    lab.nothing_is_ready(worker).await;
    lab.finish(worker, &claimed).await;
    lab.claim_this(worker, queued).await;
    assert_eq!(lab.sweep().await, []);
}

/// With `replace` the active task and all that wait are to be cancelled; the new one starts after the active one's end.
pub async fn replace_clears_the_queue(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut old = Vec::new();
    for _ in 0..3 {
        old.push(lab.create_in(thread, Queue).await.head.id);
    }
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, old[0]).await;
    let new = lab.create_in(thread, Replace).await;
    assert_eq!(place(&new), Some(1));
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.queue), (Some(old[0]), vec![new.head.id]));
    let as_set = |tasks: Vec<TaskId>| tasks.into_iter().collect::<HashSet<_>>();
    assert_eq!(as_set(row.superseded), as_set(old.clone()));
    assert!(old[1..].iter().all(|task| *task != new.head.id));
    lab.nothing_is_ready(worker).await;
    // The active one may end by itself before anybody cancels it; those that waited do not get its turn.
    lab.finish(worker, &claimed).await;
    let claimed = lab.claim_this(worker, new.head.id).await;
    lab.nothing_is_ready(worker).await;
    assert_eq!(as_set(lab.sweep().await), as_set(old[1..].to_vec()));
    for task in &old[1..] {
        assert_eq!(lab.row(*task).await.status, TaskStatus::Cancelled);
    }
    assert_eq!(lab.row(new.head.id).await.status, TaskStatus::Running);
    lab.finish(worker, &claimed).await;
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.queue.len(), row.superseded.len()), (None, 0, 0));
}

/// Whoever created a task and died before it cancelled those that gave way left that to any worker.
pub async fn a_forgotten_cancel_is_found(lab: Lab) {
    let mut expected = HashSet::new();
    for if_active in [Interrupt, Replace] {
        let thread = lab.thread(None).await.id;
        expected.insert(lab.create_in(thread, Queue).await.head.id);
        let queued = lab.create_in(thread, Queue).await.head.id;
        if if_active == Replace {
            expected.insert(queued);
        }
        lab.create_in(thread, if_active).await;
    }
    let found = lab.store.superseded(100).await.unwrap();
    assert!(found.iter().all(|(tenant, _)| *tenant == lab.tenant));
    assert_eq!(found.iter().map(|(_, task)| *task).collect::<HashSet<_>>(), expected);
    assert_eq!(lab.store.superseded(1).await.unwrap().len(), 1);
    assert_eq!(lab.sweep().await.len(), 3);
    assert_eq!(lab.store.superseded(100).await.unwrap(), []);
}

/// Ten who must not wait: one gets in.
pub async fn concurrent_rejects_let_one_in(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut creators = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (store, task) = (lab.store.clone(), lab.new_task());
        let thread = Some(InThread { id: thread, if_active: Reject });
        creators.spawn(async move {
            store.create_task(CreateTask { task, idempotency: None, thread }).await.unwrap()
        });
    }
    let outcomes = creators.join_all().await;
    let active = lab.thread_row(thread).await.active.expect("one got in");
    let refused = outcomes.iter().filter(|outcome| **outcome == CreateTaskOutcome::ThreadBusy(active));
    assert_eq!(refused.count(), 9);
}

/// A request that is sent again is the same task, whatever the thread is doing, and disturbs nobody.
pub async fn a_repeated_request_joins_once(lab: Lab) {
    let thread = lab.thread(None).await.id;
    for if_active in IfActive::ALL {
        let active = lab.thread_row(thread).await.active;
        if let Some(active) = active.filter(|_| if_active == Reject) {
            lab.end(active).await;
        }
        let create = |body| CreateTask {
            task: lab.new_task(),
            idempotency: Some(Idempotency { key: if_active.as_str().to_owned(), body: [body; 32] }),
            thread: Some(InThread { id: thread, if_active }),
        };
        let CreateTaskOutcome::Created(first) = lab.store.create_task(create(1)).await.unwrap() else {
            panic!("it is created");
        };
        let before = lab.thread_row(thread).await;
        let CreateTaskOutcome::Existing(again) = lab.store.create_task(create(1)).await.unwrap() else {
            panic!("it was there before");
        };
        assert_eq!((again.head.id, &again.thread), (first.head.id, &first.thread));
        let conflict = lab.store.create_task(create(2)).await.unwrap();
        assert_eq!(conflict, CreateTaskOutcome::KeyConflict(first.head.id));
        // The same id without a key is the same request, too.
        let resent = CreateTask {
            task: agenticai_domain::task::NewTask { id: first.head.id, ..lab.new_task() },
            idempotency: None,
            ..create(1)
        };
        assert!(matches!(lab.store.create_task(resent).await.unwrap(), CreateTaskOutcome::Existing(_)));
        assert_eq!(lab.thread_row(thread).await, before);
    }
}

/// A queue is bounded; whoever replaces it needs no place in it.
pub async fn a_full_thread_takes_no_more(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut creators = tokio::task::JoinSet::new();
    for _ in 0..=MOST_QUEUED {
        let (store, task) = (lab.store.clone(), lab.new_task());
        let thread = Some(InThread { id: thread, if_active: Queue });
        creators.spawn(async move {
            store.create_task(CreateTask { task, idempotency: None, thread }).await.unwrap()
        });
    }
    let outcomes = creators.join_all().await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, CreateTaskOutcome::Created(_))));
    assert_eq!(lab.thread_row(thread).await.queue.len(), MOST_QUEUED as usize);
    for if_active in [Queue, Interrupt] {
        assert_eq!(lab.try_in(thread, if_active).await, CreateTaskOutcome::ThreadFull);
    }
    lab.create_in(thread, Replace).await;
    assert_eq!(lab.thread_row(thread).await.superseded.len(), MOST_QUEUED as usize + 1);
}
