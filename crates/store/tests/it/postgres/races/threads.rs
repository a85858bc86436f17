//! Everybody who changes a thread waits for its row, and goes on from what the one before wrote.

use std::sync::Arc;

use agenticai_domain::task::TaskStatus;
use agenticai_domain::thread::IfActive;
use agenticai_store::{
    CancelOutcome, CreateTask, CreateTaskOutcome, CreateThread, InThread, NewThread, Store, Then,
    ThreadSelector, cancel,
};
use agenticai_testkit::conformance::lab::{RunExt, completed, entry, run, spend};
use uuid::Uuid;

use super::Holder;
use crate::postgres::fixture::lab;

/// The last entry of the active task, the cancel of the next one and a creation wait for the thread's row in this order.
/// Each of their statements began before the lock was granted: whoever decided by what it saw then would start the
/// cancelled task, lose the new one, or have two active.
#[tokio::test]
async fn ends_cancels_and_creations_are_ordered_by_the_row() {
    let (lab, _store, options) = lab().await;
    let new = NewThread {
        id: agenticai_domain::ids::ThreadId(Uuid::now_v7()),
        tenant: lab.tenant,
        name: None,
        created_by: None,
    };
    let in_thread = Some(InThread { id: new.id, if_active: IfActive::Queue });
    let which = ThreadSelector::Id(new.id);
    assert!(matches!(lab.store.create_thread(new).await.unwrap(), CreateThread::Stored(_)));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let task = lab.new_task();
        tasks.push(task.id);
        let create = CreateTask { task, idempotency: None, thread: in_thread };
        assert!(matches!(lab.store.create_task(create).await.unwrap(), CreateTaskOutcome::Created(_)));
    }
    let worker = lab.worker().await;
    let claimed = lab.claim_one(worker).await;
    assert_eq!(claimed.head.id, tasks[0]);

    let holder = Holder::hold(&options, "SELECT num FROM threads FOR UPDATE").await;
    let store: Arc<dyn Store> = lab.store.clone();
    let end =
        run(&claimed, 1, vec![entry("last")]).then(Then::End { end: completed("done"), spend: spend(1) });
    let ending = tokio::spawn({
        let store = store.clone();
        async move { store.append(worker, vec![end]).await.unwrap() }
    });
    holder.until_waited_for(1).await;
    let cancelling = tokio::spawn({
        let (store, tenant, task) = (store.clone(), lab.tenant, tasks[1]);
        async move { cancel(store.as_ref(), tenant, task, "no more").await.unwrap() }
    });
    holder.until_waited_for(2).await;
    let task = lab.new_task();
    let newest = task.id;
    let creating = tokio::spawn(async move {
        store.create_task(CreateTask { task, idempotency: None, thread: in_thread }).await.unwrap()
    });
    holder.until_waited_for(3).await;
    holder.vanish().await;

    assert!(matches!(ending.await.unwrap()[..], [agenticai_store::AppendOutcome::Accepted { .. }]));
    assert!(matches!(cancelling.await.unwrap(), CancelOutcome::Cancelled { .. }));
    assert!(matches!(creating.await.unwrap(), CreateTaskOutcome::Created(_)));
    assert_eq!(lab.row(tasks[1]).await.status, TaskStatus::Cancelled);
    let thread = lab.store.thread(lab.tenant, which).await.unwrap().unwrap();
    assert_eq!((thread.active, thread.queue), (Some(tasks[2]), vec![newest]));
    assert_eq!(lab.claim_one(worker).await.head.id, tasks[2], "one is ready, and only one");
}
