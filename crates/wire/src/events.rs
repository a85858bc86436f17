//! Events of `GET /api/v1/tasks/{id}/events` (server-sent events).
//!
//! Events named `entry` carry the journal's seq as SSE id, so that `Last-Event-ID` works; the others carry none.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use agenticai_domain::ids::StepId;
use agenticai_domain::task::{TaskStatus, WaitingFor};

use crate::{JournalEntryView, TaskView};

/// Names of events.
pub mod event {
    /// A committed journal entry: [`super::EntryEvent`].
    pub const ENTRY: &str = "entry";
    /// A piece of an answer that is not committed yet: [`super::TokenEvent`].
    pub const TOKEN: &str = "token";
    /// A step began: [`super::StartedEvent`].
    pub const STARTED: &str = "started";
    /// The task's status changed: [`super::StatusEvent`].
    pub const STATUS: &str = "status";
    /// The client's `Last-Event-ID` is beyond the journal: it must forget what it had. [`super::ResetEvent`].
    pub const RESET: &str = "reset";
    /// The task has ended; the stream ends after it. [`super::EndEvent`].
    pub const END: &str = "end";
}

/// See [`event::ENTRY`].
pub type EntryEvent = JournalEntryView;

/// See [`event::TOKEN`]. Pieces of a lower epoch or attempt than one already seen for the step are to be dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenEvent {
    /// The model call.
    pub step: StepId,
    /// The epoch of the task.
    pub epoch: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Characters of the answer before this piece.
    pub offset: u64,
    /// The piece.
    pub text: String,
}

/// See [`event::STARTED`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StartedEvent {
    /// The step.
    pub step: StepId,
    /// The tool or the model.
    pub name: String,
    /// The epoch of the task.
    pub epoch: u32,
}

/// See [`event::STATUS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusEvent {
    /// How the task stands.
    pub status: TaskStatus,
    /// While `waiting`: for what.
    pub waiting_for: Vec<WaitingFor>,
}

/// See [`event::RESET`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResetEvent {
    /// Seq of the newest entry.
    pub last_seq: u64,
}

/// See [`event::END`].
pub type EndEvent = TaskView;
