//! Threads as records: read, listed, removed, and each tenant's own.

use agenticai_domain::ids::{TaskId, ThreadId};
use agenticai_domain::task::TaskStatus;
use agenticai_domain::thread::IfActive::{Queue, Replace};
use agenticai_store::*;
use uuid::Uuid;

use super::new_thread;
use crate::conformance::Lab;
use crate::conformance::lab::{cancelled, new_task, spend};

/// What was written is there, by id and by name, and sent again it is the same.
pub async fn a_thread_reads_back(lab: Lab) {
    let new = NewThread { created_by: Some(lab.owner.user), ..new_thread(lab.tenant, Some("talk")) };
    let CreateThread::Stored(row) = lab.store.create_thread(new.clone()).await.unwrap() else {
        panic!("a new name is free");
    };
    assert_eq!((row.id, row.tenant, row.name.as_deref()), (new.id, lab.tenant, Some("talk")));
    assert_eq!((row.active, row.created_by), (None, Some(lab.owner.user)));
    assert!(row.queue.is_empty() && row.superseded.is_empty() && row.created_at > 0);
    for which in [ThreadSelector::Id(row.id), ThreadSelector::from("talk")] {
        assert_eq!(lab.store.thread(lab.tenant, which).await.unwrap().as_ref(), Some(&*row));
    }
    assert_eq!(lab.store.create_thread(new).await.unwrap(), CreateThread::Stored(row));
    let taken = lab.store.create_thread(new_thread(lab.tenant, Some("talk"))).await.unwrap();
    assert_eq!(taken, CreateThread::NameTaken);
    // Nameless ones are as many as anybody wants.
    lab.thread(None).await;
    lab.thread(None).await;
    assert_eq!(lab.store.thread(lab.tenant, ThreadSelector::from("talk2")).await.unwrap(), None);
}

/// Newest first, each once.
pub async fn threads_are_paged(lab: Lab) {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(lab.thread(None).await.id);
    }
    made.reverse();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = lab.store.list_threads(lab.tenant, cursor, 2).await.unwrap();
        seen.extend(page.items.iter().map(|row| row.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
    let refused = lab.store.list_threads(lab.tenant, Some("7".to_owned()), 2).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))));
}

/// A thread with a task that has not ended stays; one without goes, and its tasks stay.
pub async fn a_busy_thread_is_not_deleted(lab: Lab) {
    let thread = lab.thread(Some("talk")).await.id;
    let which = || ThreadSelector::from("talk");
    let task = lab.create_in(thread, Queue).await.head.id;
    assert_eq!(lab.store.delete_thread(lab.tenant, which()).await.unwrap(), DeleteThread::Active(task));
    lab.end(task).await;
    assert_eq!(lab.store.delete_thread(lab.tenant, which()).await.unwrap(), DeleteThread::Deleted);
    assert_eq!(lab.store.delete_thread(lab.tenant, which()).await.unwrap(), DeleteThread::NotFound);
    assert_eq!(lab.row(task).await.thread, None);
    assert_eq!(lab.try_in(thread, Queue).await, CreateTaskOutcome::NoThread);
    // Its name is free.
    assert_ne!(lab.thread(Some("talk")).await.id, thread);
}

/// Tasks that wait for their turn are pending in every list and count, and a thread's list holds them all.
pub async fn queued_tasks_are_listed(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let alone = lab.create(lab.new_task()).await.head.id;
    let done = lab.create_in(thread, Queue).await.head.id;
    lab.end(done).await;
    let mut open = Vec::new();
    for if_active in [Queue, Queue, Replace] {
        open.push(lab.create_in(thread, if_active).await.head.id);
    }
    let worker = lab.worker().await;
    let claimed = lab.store.claim(worker, 10.into()).await.unwrap();
    assert_eq!(claimed.len(), 2, "the one without a thread, and the thread's active one");
    let by = |thread, status: &[TaskStatus]| TaskFilter {
        thread,
        status: status.to_vec(),
        ..TaskFilter::default()
    };
    let cases = [
        (by(None, &[]), vec![alone, done, open[0], open[1], open[2]]),
        (by(None, &[TaskStatus::Pending]), vec![open[1], open[2]]),
        (by(None, &[TaskStatus::Running]), vec![alone, open[0]]),
        (by(Some(thread), &[]), vec![done, open[0], open[1], open[2]]),
        (by(Some(thread), &[TaskStatus::Pending]), vec![open[1], open[2]]),
        (by(Some(thread), &[TaskStatus::Running, TaskStatus::Cancelled]), vec![done, open[0]]),
        (by(Some(ThreadId(Uuid::now_v7())), &[]), vec![]),
    ];
    for (filter, mut expected) in cases {
        expected.reverse();
        let page = lab.store.list_tasks(lab.tenant, filter.clone(), None, 100).await.unwrap();
        let listed: Vec<TaskId> = page.items.iter().map(|row| row.head.id).collect();
        assert_eq!(listed, expected, "{filter:?}");
        let count = lab.store.count_tasks(lab.tenant, filter).await.unwrap();
        assert_eq!(count, expected.len() as u64);
    }
}

/// Nobody sees, joins or deletes another tenant's thread; names are each tenant's own.
pub async fn threads_belong_to_their_tenant(lab: Lab) {
    let thread = lab.thread(Some("talk")).await.id;
    let mine = lab.create_in(thread, Queue).await.head.id;
    let (other, agent) = lab.other_tenant().await;
    for which in [ThreadSelector::Id(thread), ThreadSelector::from("talk")] {
        assert_eq!(lab.store.thread(other, which.clone()).await.unwrap(), None);
        assert_eq!(lab.store.delete_thread(other, which).await.unwrap(), DeleteThread::NotFound);
    }
    assert_eq!(lab.store.list_threads(other, None, 10).await.unwrap().items, []);
    let refused = lab.store.list_threads(other, Some(thread.to_string()), 10).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    let task = new_task(other, agent);
    let in_mine = Some(InThread { id: thread, if_active: Replace });
    let outcome =
        lab.store.create_task(CreateTask { task, idempotency: None, thread: in_mine }).await.unwrap();
    assert_eq!(outcome, CreateTaskOutcome::NoThread);
    let filter = TaskFilter { thread: Some(thread), ..TaskFilter::default() };
    assert_eq!(lab.store.list_tasks(other, filter, None, 10).await.unwrap().items, []);
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.superseded.len()), (Some(mine), 0));
    // A thread with that id cannot be made by another, nor can one be taken over.
    let same_id = NewThread { id: thread, ..new_thread(other, None) };
    assert_eq!(lab.store.create_thread(same_id).await.unwrap(), CreateThread::NameTaken);
    let theirs = lab.store.create_thread(new_thread(other, Some("talk"))).await.unwrap();
    assert!(matches!(theirs, CreateThread::Stored(_)));
    let ended = lab.store.end_task(other, mine, 1, cancelled(), spend(0)).await.unwrap();
    assert_eq!(ended, EndOutcome::NotFound);
}
