//! Schedules: cron rules that create tasks.
//!
//! [`Rule`] says when a schedule fires, [`due`] which of its occurrences are to be fired at a moment, [`Firing`] what
//! came of one. None of them has a clock; who looks when is up to the scheduler, and that one occurrence makes one task
//! at most is up to the store.

mod due;
mod rule;
mod spec;

pub use due::{Due, LATE_MS, MOST_MISSED, due};
pub use rule::Rule;
pub use spec::{CatchUp, Overlap, ScheduleSpec};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{ScheduleId, TaskId};

/// Firings of one schedule that wait at most, under [`Overlap::Queue`]; more are skipped.
pub const MOST_QUEUED: u32 = 100;

/// What came of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FiringState {
    /// Its task exists.
    Created,
    /// Its task is created once the one before has ended.
    Queued,
    /// No task: the one before had not ended.
    Skipped,
    /// No task: a newer firing took its place while it waited.
    Replaced,
    /// No task: none could be created.
    Failed,
}

impl FiringState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Created, Self::Queued, Self::Skipped, Self::Replaced, Self::Failed];

    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Queued => "queued",
            Self::Skipped => "skipped",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }
}

/// One firing of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The task that it makes or would have made; see [`task_of`] and [`task_of_trigger`].
    pub task: TaskId,
    /// The occurrence, or the moment at which somebody triggered it. Milliseconds since 1970.
    pub due_at: i64,
    /// Whether somebody triggered it.
    pub triggered: bool,
    /// What came of it.
    pub state: FiringState,
    /// Where it made no task: why.
    pub why: Option<String>,
    /// When it was recorded, by the store's clock. Milliseconds since 1970.
    pub at: i64,
}

/// The task of an occurrence: the same for every process that fires it.
pub fn task_of(schedule: ScheduleId, occurrence: i64) -> TaskId {
    TaskId(Uuid::new_v5(&schedule.0, occurrence.to_string().as_bytes()))
}

/// The task of a trigger that its sender gave a key: the same however often it is sent.
pub fn task_of_trigger(schedule: ScheduleId, key: &str) -> TaskId {
    TaskId(Uuid::new_v5(&schedule.0, format!("trigger:{key}").as_bytes()))
}
