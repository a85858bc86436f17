//! Schedules on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use agenticai_domain::ids::{ScheduleId, TaskId};
use agenticai_domain::schedule::{CatchUp, FiringState, Overlap};
use agenticai_domain::task::TaskInput;

/// Asks for a schedule: a cron rule that creates tasks. `POST /api/v1/schedules`, and `PUT` with all that it says anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    /// Unique in the tenant: 1 to 63 of a-z, 0-9, `-` and `_`.
    pub name: String,
    /// Name or id of the agent whose tasks it creates.
    pub agent: String,
    /// A version of it; absent: the newest whenever it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<u32>,
    /// What each task is asked: a text, a list of messages, or the arguments of an agent of kind `tool`.
    pub input: TaskInput,
    /// When: minute, hour, day, month and weekday, with seconds before them if wanted, as in `0 9 * * MON-FRI`; or
    /// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    pub cron: String,
    /// IANA name of the zone whose clocks `cron` means; absent: `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What happens to a firing while the task of the one before has not ended; absent: `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// What is made up for when nobody was there to fire in time; absent: `one`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// Seconds after which a missed occurrence is not made up for, up to a year; absent: a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up_window_seconds: Option<u64>,
    /// 1 to 10, 10 most urgent; absent: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// From a task's creation to its end; the agent's own limit counts too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Given to each task, with the schedule's name under `schedule` unless that key is used. At most 16 KiB.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, Value>,
    /// Whether its occurrences are passed over; absent: no, or as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    /// Its id.
    pub id: ScheduleId,
    /// Its name.
    pub name: String,
    /// Name or id of its agent, as written.
    pub agent: String,
    /// The version of it; `null`: the newest whenever it fires.
    pub agent_version: Option<u32>,
    /// What each task is asked.
    pub input: TaskInput,
    /// When.
    pub cron: String,
    /// The zone whose clocks `cron` means.
    pub timezone: String,
    /// What happens while the task before has not ended.
    pub overlap: Overlap,
    /// What is made up for.
    pub catch_up: CatchUp,
    /// Seconds after which a missed occurrence is not made up for.
    pub catch_up_window_seconds: u64,
    /// 1 to 10, 10 most urgent.
    pub priority: u8,
    /// From a task's creation to its end; `null`: the agent's own limit alone.
    pub timeout_seconds: Option<u64>,
    /// Given to each task.
    pub metadata: serde_json::Map<String, Value>,
    /// Whether its occurrences are passed over.
    pub paused: bool,
    /// RFC 3339; `null` where it is paused, or has no occurrence any more.
    pub next_fire_at: Option<String>,
    /// RFC 3339; the newest occurrence or trigger, whatever came of it.
    pub last_fire_at: Option<String>,
    /// The newest task that it created.
    pub last_task: Option<TaskId>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; when it was last written.
    pub updated_at: String,
}

/// A page of schedules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SchedulePage {
    /// The schedules, by name.
    pub items: Vec<ScheduleView>,
    /// Pass it as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// What came of one firing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FiringView {
    /// RFC 3339; the occurrence, or the moment of the trigger.
    pub due_at: String,
    /// Whether somebody triggered it.
    pub triggered: bool,
    /// What came of it.
    pub state: FiringState,
    /// Its task, once that exists.
    pub task: Option<TaskId>,
    /// Where there is no task: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// RFC 3339; when this came of it.
    pub at: String,
}

/// The newest firings. `GET /api/v1/schedules/{id}/firings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FiringPage {
    /// The firings, newest first.
    pub items: Vec<FiringView>,
}

/// One of the next times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OccurrenceView {
    /// RFC 3339, in UTC.
    pub at: String,
    /// What a clock in the schedule's zone shows, with its offset and the zone's name (RFC 9557).
    pub local: String,
}

/// The next times. `GET /api/v1/schedules/{id}/occurrences`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OccurrencesView {
    /// The occurrences, in order; fewer than asked for where no more come.
    pub items: Vec<OccurrenceView>,
}
