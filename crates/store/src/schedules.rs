//! Schedules: rules that create tasks, and what came of each firing.

use async_trait::async_trait;

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId, UserId};
use agenticai_domain::schedule::{Firing, ScheduleSpec};
use agenticai_domain::task::NewTask;

use crate::{Page, Result};

/// Firings that are kept of a schedule, besides those that wait.
pub(crate) const KEPT_FIRINGS: u32 = 100;

/// How a caller names a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleSelector {
    /// By id.
    Id(ScheduleId),
    /// By its name in the tenant.
    Name(String),
}

impl From<&str> for ScheduleSelector {
    /// A text that is a UUID is an id, any other a name.
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
    }
}

/// A schedule as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleRow {
    /// The schedule.
    pub id: ScheduleId,
    /// Whose it is.
    pub tenant: TenantId,
    /// As written.
    pub spec: ScheduleSpec,
    /// Raised with every change of `spec` and with every pause: what was decided from an older one does not count.
    pub revision: u32,
    /// Whether its occurrences are passed over.
    pub paused: bool,
    /// The next occurrence; `None` where it is paused or there is none any more. Milliseconds since 1970.
    pub next_fire_at: Option<i64>,
    /// The newest occurrence or trigger that was fired, whatever came of it.
    pub last_fire_at: Option<i64>,
    /// The newest task that it created.
    pub last_task: Option<TaskId>,
    /// Who made it; its tasks are theirs.
    pub created_by: Option<UserId>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When `spec` was written. Milliseconds since 1970.
    pub updated_at: i64,
}

/// A schedule to be stored.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// Its id, chosen by the caller: sent again, it is the same schedule.
    pub id: ScheduleId,
    /// Whose it is.
    pub tenant: TenantId,
    /// As written.
    pub spec: ScheduleSpec,
    /// Whether it begins paused.
    pub paused: bool,
    /// Its first occurrence, `None` where it is paused.
    pub next_fire_at: Option<i64>,
    /// Who makes it.
    pub created_by: Option<UserId>,
}

/// What came of storing a schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum PutSchedule {
    /// It is stored, and stands so.
    Stored(Box<ScheduleRow>),
    /// Another schedule has the name.
    NameTaken,
    /// The schedule has another revision by now: read it and try again.
    Moved,
    /// There is no such schedule.
    NotFound,
}

/// A change of a schedule: what it says, whether it is paused, or both.
#[derive(Debug, Clone)]
pub struct ChangeSchedule {
    /// The revision that is to be changed.
    pub revision: u32,
    /// What it says from now on; `None`: as before.
    pub spec: Option<ScheduleSpec>,
    /// Whether its occurrences are passed over.
    pub paused: bool,
    /// Its next occurrence, `None` where it is paused.
    pub next_fire_at: Option<i64>,
}

/// One firing that is asked for.
#[derive(Debug, Clone)]
pub struct NewFiring {
    /// The task that it makes: the same id is the same firing, sent again.
    pub id: TaskId,
    /// The occurrence, or the moment of the trigger. Milliseconds since 1970.
    pub due_at: i64,
    /// Its task, whose id is `id`; an error says why there can be none.
    pub task: std::result::Result<NewTask, String>,
}

/// Where firing moves a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// The revision from which the firings were decided.
    pub revision: u32,
    /// `next_fire_at` from which they were decided.
    pub from: i64,
    /// `next_fire_at` after them.
    pub to: Option<i64>,
}

/// Firings of one schedule.
#[derive(Debug, Clone)]
pub struct Fire {
    /// Whose it is.
    pub tenant: TenantId,
    /// The schedule.
    pub schedule: ScheduleId,
    /// For occurrences: where the schedule goes. `None`: somebody triggers it, which moves nothing.
    pub advance: Option<Advance>,
    /// The firings, oldest first; none where all occurrences are passed over.
    pub firings: Vec<NewFiring>,
}

/// What came of [`Schedules::fire`].
#[derive(Debug, Clone, PartialEq)]
pub enum FireOutcome {
    /// Committed; what came of each firing, in order.
    Fired(Vec<Firing>),
    /// Somebody else has fired these occurrences, or the schedule was changed or paused: nothing is written.
    Moved,
    /// There is no such schedule.
    NotFound,
}

/// The oldest firing of a schedule that waits for an earlier task.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedFiring {
    /// The schedule.
    pub schedule: ScheduleRow,
    /// The firing.
    pub firing: Firing,
    /// The task that has to end first; `None`: it may start.
    pub blocked_by: Option<TaskId>,
}

/// Schedules.
#[async_trait]
pub trait Schedules {
    /// Stores a new schedule.
    async fn create_schedule(&self, new: NewSchedule) -> Result<PutSchedule>;
    /// Changes a schedule. Firings that wait go on waiting.
    async fn change_schedule(
        &self,
        tenant: TenantId,
        id: ScheduleId,
        change: ChangeSchedule,
    ) -> Result<PutSchedule>;
    /// A schedule.
    async fn schedule(&self, tenant: TenantId, which: ScheduleSelector) -> Result<Option<ScheduleRow>>;
    /// By name. `cursor` is the last name seen.
    async fn list_schedules(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<ScheduleRow>>;
    /// Removes a schedule with its firings; its tasks stay. `false` where there is none.
    async fn delete_schedule(&self, tenant: TenantId, which: ScheduleSelector) -> Result<bool>;
    /// What came of its newest firings, newest first. Older ones than the newest hundred may be gone.
    async fn firings(&self, tenant: TenantId, schedule: ScheduleId, limit: u32) -> Result<Vec<Firing>>;
    /// Up to `limit` schedules whose next occurrence has come, the most overdue first. One that cannot be read is left
    /// out.
    async fn due_schedules(&self, limit: u32) -> Result<Vec<ScheduleRow>>;
    /// Milliseconds until the next occurrence of any schedule, if there is one; 0 where it is overdue.
    async fn next_occurrence_in(&self) -> Result<Option<u64>>;
    /// Fires: creates the tasks, or records why there are none, and moves the schedule on, in one transaction. While the
    /// schedule's newest task has not ended, or firings wait, a firing creates no task: it is skipped, waits, or takes
    /// the place of those that wait, as `overlap` says. A firing whose id is recorded is answered as it stands.
    async fn fire(&self, fire: Fire) -> Result<FireOutcome>;
    /// The oldest waiting firing of up to `limit` schedules that are not paused, where it may start, or where a task is
    /// to be cancelled for it (`overlap` is `replace`).
    async fn queued_firings(&self, limit: u32) -> Result<Vec<QueuedFiring>>;
    /// Starts a waiting firing if it is the oldest and no task of the schedule is open: creates its task, or records why
    /// there is none. `None` where there is nothing to start any more.
    async fn start_queued(
        &self,
        tenant: TenantId,
        schedule: ScheduleId,
        firing: NewFiring,
    ) -> Result<Option<Firing>>;
}
