//! Tasks as rows: creation, look-up, ends and messages from outside.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use agenticai_domain::ids::{AgentId, TaskId, TenantId, ThreadId};
use agenticai_domain::inbox::InboxBody;
use agenticai_domain::task::{End, NewTask, TaskHead, TaskStatus, WaitingFor};
use agenticai_domain::usage::Spend;

use crate::{InThread, Result, TaskThread};

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// A client's key that makes creation repeatable. Kept as long as the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the request's body: another body under the same key is a conflict.
    pub body: [u8; 32],
}

/// A task to be created.
#[derive(Debug, Clone)]
pub struct CreateTask {
    /// The task.
    pub task: NewTask,
    /// The client's key.
    pub idempotency: Option<Idempotency>,
    /// The thread that it belongs to.
    pub thread: Option<InThread>,
}

/// What came of [`Tasks::create_task`].
#[derive(Debug, Clone, PartialEq)]
pub enum CreateTaskOutcome {
    /// Committed.
    Created(Box<TaskRow>),
    /// The key was used before with the same body: that task, as it stands.
    Existing(Box<TaskRow>),
    /// The key was used before with another body, by this task.
    KeyConflict(TaskId),
    /// The thread does not exist; nothing was created.
    NoThread,
    /// Another task of the thread is active, and the new one is not to wait for it; nothing was created.
    ThreadBusy(TaskId),
    /// [`MOST_QUEUED`](agenticai_domain::thread::MOST_QUEUED) tasks of the thread wait already; nothing was created.
    ThreadFull,
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// What never changes.
    pub head: TaskHead,
    /// The agent's name at creation.
    pub agent_name: String,
    /// How it stands.
    pub status: TaskStatus,
    /// While `waiting`: for what.
    pub waiting_for: Vec<WaitingFor>,
    /// Milliseconds since 1970 since when it is paused: no worker is given it until somebody releases it.
    pub paused_at: Option<i64>,
    /// Once terminal: how it ended.
    pub end: Option<End>,
    /// As of the last wait or the end; while it runs the journal knows more.
    pub spend: Spend,
    /// The creator's own words.
    pub metadata: serde_json::Map<String, Value>,
    /// The thread that it belongs to, unless that was deleted.
    pub thread: Option<TaskThread>,
    /// Seq of its newest journal entry as of the last state change.
    pub last_seq: u64,
    /// Milliseconds since 1970 of the first claim.
    pub started_at: Option<i64>,
    /// Milliseconds since 1970 of the end.
    pub completed_at: Option<i64>,
}

/// Which tasks; every part that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskFilter {
    /// One of these; empty: any.
    pub status: Vec<TaskStatus>,
    /// This agent's.
    pub agent: Option<AgentId>,
    /// Children of this task.
    pub parent: Option<TaskId>,
    /// Those of this thread.
    pub thread: Option<ThreadId>,
    /// Only those that are paused.
    pub paused: bool,
    /// Metadata holds these strings.
    pub metadata: BTreeMap<String, String>,
}

/// What came of [`Tasks::end_task`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOutcome {
    /// The terminal entry and the state are committed.
    Ended,
    /// Another entry took that seq first: read on and try again.
    Overtaken,
    /// It had ended before.
    AlreadyTerminal(TaskStatus),
    /// There is no such task.
    NotFound,
}

/// What came of [`Tasks::deliver`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliverOutcome {
    /// In the inbox; a waiting task is ready.
    Delivered,
    /// A message with this dedupe id was delivered before; nothing changed.
    Duplicate,
    /// The task has ended; nothing changed.
    AlreadyTerminal(TaskStatus),
    /// There is no such task.
    NotFound,
}

/// Tasks as rows.
#[async_trait]
pub trait Tasks {
    /// Commits a task and its place among the ready ones, or in the queue of its thread, in one transaction.
    async fn create_task(&self, new: CreateTask) -> Result<CreateTaskOutcome>;
    /// The task that a tenant's idempotency key made, as it stands, and the SHA-256 of the body that came with it (see
    /// [`Idempotency`]). `None`: no committed task has the key. [`Tasks::create_task`] looks at the key itself; this is
    /// for a repetition that could not be created any more.
    async fn task_by_key(&self, tenant: TenantId, key: String) -> Result<Option<(TaskRow, [u8; 32])>>;
    /// A task of a tenant.
    async fn task(&self, tenant: TenantId, id: TaskId) -> Result<Option<TaskRow>>;
    /// Newest first. `cursor` comes from the page before.
    async fn list_tasks(
        &self,
        tenant: TenantId,
        filter: TaskFilter,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<TaskRow>>;
    /// How many.
    async fn count_tasks(&self, tenant: TenantId, filter: TaskFilter) -> Result<u64>;
    /// Ends a task from outside (a cancel): the entry at `seq`, the row, the message to its parent and the turn of the
    /// next task of its thread in one transaction, if nobody took `seq` before. The task's worker finds out when its next run is refused.
    async fn end_task(
        &self,
        tenant: TenantId,
        id: TaskId,
        seq: u64,
        end: End,
        spend: Spend,
    ) -> Result<EndOutcome>;
    /// Puts a message into a task's inbox and makes the task ready if it waits, in one transaction. `dedupe` is
    /// unique in the task.
    async fn deliver(
        &self,
        tenant: TenantId,
        id: TaskId,
        dedupe: String,
        body: InboxBody,
    ) -> Result<DeliverOutcome>;
    /// Up to `limit` tasks that have not ended although their parent has: to be cancelled.
    async fn orphans(&self, limit: u32) -> Result<Vec<(TenantId, TaskId)>>;
}

/// A time-out beyond the end of time is none.
pub(crate) fn deadline(now: i64, timeout_ms: Option<u64>) -> Option<i64> {
    now.checked_add(i64::try_from(timeout_ms?).ok()?)
}

/// The row of a task that was just created, and belongs to no thread.
pub(crate) fn new_row(new: NewTask, agent_name: String, at: i64) -> TaskRow {
    TaskRow {
        head: TaskHead {
            id: new.id,
            tenant: new.tenant,
            agent: new.agent,
            agent_version: new.agent_version,
            input: new.input,
            priority: new.priority,
            created_at: at,
            deadline_at: deadline(at, new.timeout_ms),
            parent: new.parent,
            depth: new.depth,
            created_by: new.created_by,
            traceparent: new.traceparent,
        },
        agent_name,
        status: TaskStatus::Pending,
        waiting_for: Vec::new(),
        paused_at: None,
        end: None,
        spend: Spend::default(),
        metadata: new.metadata,
        thread: None,
        last_seq: 0,
        started_at: None,
        completed_at: None,
    }
}
