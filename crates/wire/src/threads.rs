//! Threads on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use agenticai_domain::ids::{TaskId, ThreadId};

/// Asks for a thread. `POST /api/v1/threads`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadRequest {
    /// Unique in the tenant: 1 to 63 of a-z, 0-9, `-` and `_`; absent: it is known by its id alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A thread: a conversation, whose tasks run one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadView {
    /// Its id.
    pub id: ThreadId,
    /// The creator's name for it.
    pub name: Option<String>,
    /// The task whose turn it is: it runs, is ready to run, or waits for something from outside.
    pub active: Option<TaskId>,
    /// Tasks that wait for their turn, in order; at most 1,000.
    pub queue: Vec<TaskId>,
    /// RFC 3339.
    pub created_at: String,
}

/// A page of threads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadPage {
    /// The threads, newest first.
    pub items: Vec<ThreadView>,
    /// Pass it as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// The thread of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskThreadView {
    /// Its id.
    pub id: ThreadId,
    /// The creator's name for it.
    pub name: Option<String>,
    /// While the task waits for its turn (its status is `pending` then): its place in the queue, from 1.
    pub queue_place: Option<u32>,
}
