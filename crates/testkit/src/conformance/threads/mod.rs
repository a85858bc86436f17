//! Threads: at most one task of each is active, and whose turn comes next is decided with the commit that ends it.

mod policies;
mod records;
mod turns;

use agenticai_domain::ids::{TaskId, TenantId, ThreadId};
use agenticai_domain::thread::IfActive;
use agenticai_store::*;
use uuid::Uuid;

use super::Lab;
use super::lab::{RunExt, completed, entry, run, spend};

pub use policies::*;
pub use records::*;
pub use turns::*;

impl Lab {
    /// A new thread.
    pub(super) async fn thread(&self, name: Option<&str>) -> ThreadRow {
        match self.store.create_thread(new_thread(self.tenant, name)).await.unwrap() {
            CreateThread::Stored(row) => *row,
            CreateThread::NameTaken => panic!("a new name is free"),
        }
    }

    /// A thread as it stands.
    async fn thread_row(&self, id: ThreadId) -> ThreadRow {
        self.store.thread(self.tenant, ThreadSelector::Id(id)).await.unwrap().expect("the thread exists")
    }

    async fn try_in(&self, thread: ThreadId, if_active: IfActive) -> CreateTaskOutcome {
        let thread = Some(InThread { id: thread, if_active });
        self.store.create_task(CreateTask { task: self.new_task(), idempotency: None, thread }).await.unwrap()
    }

    /// Creates a task in a thread.
    pub(super) async fn create_in(&self, thread: ThreadId, if_active: IfActive) -> TaskRow {
        match self.try_in(thread, if_active).await {
            CreateTaskOutcome::Created(row) => *row,
            other => panic!("the thread took no task: {other:?}"),
        }
    }

    /// Nothing is ready.
    async fn nothing_is_ready(&self, worker: WorkerId) {
        assert_eq!(self.store.claim(worker, 10.into()).await.unwrap(), []);
        assert_eq!(self.store.backlog().await.unwrap().0, 0);
    }

    /// The only task that is ready, which must be this one.
    async fn claim_this(&self, worker: WorkerId, task: TaskId) -> Claimed {
        let claimed = self.claim_one(worker).await;
        assert_eq!(claimed.head.id, task);
        claimed
    }

    /// Ends a claimed task by its last entry.
    async fn finish(&self, worker: WorkerId, claimed: &Claimed) {
        let end = Then::End { end: completed("done"), spend: spend(1) };
        let first = claimed.last_seq + 1;
        self.accept(worker, run(claimed, first, vec![entry("last")]).then(end)).await;
    }

    /// Cancels whatever the threads' rows say is to be cancelled; answers what that was.
    async fn sweep(&self) -> Vec<TaskId> {
        let superseded = self.store.superseded(100).await.unwrap();
        for (tenant, task) in &superseded {
            cancel(self.store.as_ref(), *tenant, *task, "superseded").await.unwrap();
        }
        superseded.into_iter().map(|(_, task)| task).collect()
    }
}

fn new_thread(tenant: TenantId, name: Option<&str>) -> NewThread {
    NewThread { id: ThreadId(Uuid::now_v7()), tenant, name: name.map(str::to_owned), created_by: None }
}

fn place(row: &TaskRow) -> Option<u32> {
    row.thread.as_ref().expect("it belongs to a thread").place
}
