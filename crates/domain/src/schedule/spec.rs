//! What a schedule is: what its owner wrote.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Rule;
use crate::ids::TaskId;
use crate::spec::{AgentVersion, SpecError, check_plain_name};
use crate::task::{DEFAULT_PRIORITY, NewTask, TaskInput};

/// Where nothing is said, what is more than a day old is not made up for.
const DEFAULT_WINDOW: u64 = 24 * 3600;
/// A year in seconds.
const LONGEST_WINDOW: u64 = 366 * 24 * 3600;

/// What happens to a firing while the task of the one before has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It makes no task.
    #[default]
    Skip,
    /// Its task is created once the one before has ended; up to 100 wait.
    Queue,
    /// The task before is cancelled, and the new one is created once that has ended.
    Replace,
}

impl Overlap {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Queue, Self::Replace];

    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::Replace => "replace",
        }
    }
}

/// What is made up for when nobody was there to fire an occurrence in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// Nothing.
    None,
    /// The newest missed occurrence.
    #[default]
    One,
    /// Every missed occurrence, the newest 100 at most.
    All,
}

impl CatchUp {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::One => "one",
            Self::All => "all",
        }
    }
}

/// A schedule as its owner wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// Unique in the tenant.
    pub name: String,
    /// Name or id of the agent whose tasks it creates.
    pub agent: String,
    /// A version of it; `None`: the newest when it fires.
    pub agent_version: Option<u32>,
    /// What each task is asked.
    pub input: TaskInput,
    /// 1 to 10, 10 most urgent.
    pub priority: Option<u8>,
    /// Seconds from a task's creation to its end at the latest; the agent's own limit counts too.
    pub timeout_seconds: Option<u64>,
    /// Given to each task.
    pub metadata: Map<String, Value>,
    /// When, as in `0 9 * * MON-FRI`.
    pub cron: String,
    /// IANA name of the zone whose clocks `cron` means.
    pub timezone: String,
    /// What happens while the task before has not ended.
    pub overlap: Overlap,
    /// What is made up for.
    pub catch_up: CatchUp,
    /// Seconds after which a missed occurrence is not made up for; `None`: a day.
    pub catch_up_window_seconds: Option<u64>,
}

impl ScheduleSpec {
    /// Checks what can be seen without asking anybody else; answers the rule, or all mistakes.
    pub fn check(&self) -> Result<Rule, Vec<SpecError>> {
        let mut found = Vec::new();
        let mut add = |path: &str, message: String| found.push(SpecError { path: path.to_owned(), message });
        if let Err(why) = check_plain_name(&self.name) {
            add("name", why);
        }
        // Schedules are addressed by name or id in one place: a name must not look like an id.
        if Uuid::parse_str(&self.name).is_ok() {
            add("name", "looks like an id: choose another name".to_owned());
        }
        if self.catch_up_window_seconds.is_some_and(|seconds| !(1..=LONGEST_WINDOW).contains(&seconds)) {
            add("catch_up_window_seconds", "must lie between 1 second and a year".to_owned());
        }
        match Rule::compile(&self.cron, &self.timezone) {
            Ok(rule) if found.is_empty() => Ok(rule),
            Ok(_) => Err(found),
            Err(more) => {
                found.extend(more);
                Err(found)
            }
        }
    }

    /// Milliseconds after which a missed occurrence is not made up for.
    pub fn window_ms(&self) -> i64 {
        let seconds = self.catch_up_window_seconds.unwrap_or(DEFAULT_WINDOW).min(LONGEST_WINDOW);
        i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
    }

    /// The priority of its tasks.
    pub fn priority(&self) -> u8 {
        self.priority.unwrap_or(DEFAULT_PRIORITY)
    }

    /// The task of a firing, without the schedule's creator.
    pub fn task(&self, id: TaskId, agent: &AgentVersion) -> NewTask {
        let limits = [self.timeout_seconds, agent.spec.limits.timeout_seconds];
        NewTask {
            id,
            tenant: agent.tenant,
            agent: agent.id,
            agent_version: agent.version,
            input: self.input.clone(),
            priority: self.priority(),
            timeout_ms: limits.into_iter().flatten().min().map(|seconds| seconds.saturating_mul(1000)),
            parent: None,
            depth: 0,
            metadata: self.task_metadata(),
            created_by: None,
            traceparent: None,
        }
    }

    /// The schedule's metadata and its name under `schedule`, by which lists of tasks can be filtered; an owner who
    /// uses that key keeps it.
    fn task_metadata(&self) -> Map<String, Value> {
        let mut metadata = self.metadata.clone();
        metadata.entry("schedule").or_insert_with(|| Value::from(self.name.as_str()));
        metadata
    }
}
