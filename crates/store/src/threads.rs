//! Threads: conversations of a tenant. Tasks of a thread run one after another: at most one is active, the others wait
//! for their turn in the order of their commits.

use async_trait::async_trait;

use agenticai_domain::ids::{TaskId, TenantId, ThreadId, UserId};
use agenticai_domain::thread::IfActive;

use crate::{Page, Result};

/// How a caller names a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadSelector {
    /// By id.
    Id(ThreadId),
    /// By its name in the tenant.
    Name(String),
}

impl From<&str> for ThreadSelector {
    /// A text that is a UUID is an id, any other a name.
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
    }
}

/// A thread to be stored.
#[derive(Debug, Clone)]
pub struct NewThread {
    /// Its id, chosen by the caller: sent again, it is the same thread.
    pub id: ThreadId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The creator's name for it; one thread of a tenant has it.
    pub name: Option<String>,
    /// Who makes it.
    pub created_by: Option<UserId>,
}

/// A thread as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadRow {
    /// The thread.
    pub id: ThreadId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The creator's name for it.
    pub name: Option<String>,
    /// The task that runs, is ready to run or waits for something from outside.
    pub active: Option<TaskId>,
    /// Tasks that wait for their turn, in order.
    pub queue: Vec<TaskId>,
    /// Tasks that gave way to a newer one and have not ended: to be cancelled. The active one may be among them.
    pub superseded: Vec<TaskId>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// What came of [`Threads::create_thread`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateThread {
    /// It is stored, and stands so.
    Stored(Box<ThreadRow>),
    /// Another thread has the name.
    NameTaken,
}

/// What came of [`Threads::delete_thread`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteThread {
    /// It is gone; its tasks stay and belong to no thread any more.
    Deleted,
    /// This task of it has not ended; nothing changed.
    Active(TaskId),
    /// There is no such thread.
    NotFound,
}

/// The thread that a task is created in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InThread {
    /// The thread.
    pub id: ThreadId,
    /// What happens while another task of it is active.
    pub if_active: IfActive,
}

/// The thread of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskThread {
    /// The thread.
    pub id: ThreadId,
    /// The creator's name for it.
    pub name: Option<String>,
    /// While the task waits for its turn: its place in the queue, from 1.
    pub place: Option<u32>,
}

/// Threads.
#[async_trait]
pub trait Threads {
    /// Stores a thread.
    async fn create_thread(&self, new: NewThread) -> Result<CreateThread>;
    /// A thread of a tenant.
    async fn thread(&self, tenant: TenantId, which: ThreadSelector) -> Result<Option<ThreadRow>>;
    /// Newest first. `cursor` comes from the page before.
    async fn list_threads(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<ThreadRow>>;
    /// Removes a thread none of whose tasks is active.
    async fn delete_thread(&self, tenant: TenantId, which: ThreadSelector) -> Result<DeleteThread>;
    /// Up to `limit` tasks that gave way to a newer one of their thread and have not ended: to be cancelled.
    async fn superseded(&self, limit: u32) -> Result<Vec<(TenantId, TaskId)>>;
}
