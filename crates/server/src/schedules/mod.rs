//! Schedules.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod firings;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod occurrences;
pub(crate) mod pause;
pub(crate) mod put;
pub(crate) mod request;
pub(crate) mod trigger;
pub(crate) mod view;

use agenticai_domain::ids::TenantId;
use agenticai_domain::schedule::Rule;
use agenticai_store::{ChangeSchedule, PutSchedule, ScheduleRow, ScheduleSelector};

use crate::problem::{ApiError, ApiResult, BUSY_SCHEDULE, SCHEDULE_EXISTS, UNKNOWN_SCHEDULE};
use crate::state::Api;

/// How often a change is tried again that another one was faster than.
const TRIES: u32 = 20;

/// The problem of a name or id that is not there.
pub(crate) fn unknown(which: &str) -> ApiError {
    let detail = format!("There is no schedule `{which}`: look at GET /api/v1/schedules.");
    ApiError::new(UNKNOWN_SCHEDULE, detail)
}

/// The problem of a name that another schedule has.
pub(crate) fn taken(name: &str) -> ApiError {
    let detail = format!(
        "There is a schedule `{name}` already: choose another name, or change that one with PUT \
         /api/v1/schedules/{name}."
    );
    ApiError::new(SCHEDULE_EXISTS, detail)
}

impl Api {
    /// A schedule, or the problem that there is none.
    pub async fn schedule(&self, tenant: TenantId, which: &str) -> ApiResult<ScheduleRow> {
        self.store.schedule(tenant, ScheduleSelector::from(which)).await?.ok_or_else(|| unknown(which))
    }

    /// Changes a schedule as it stands; `how` is asked anew where another change came in between.
    pub async fn change_schedule(
        &self,
        tenant: TenantId,
        which: &str,
        how: impl Fn(&ScheduleRow, i64) -> ApiResult<ChangeSchedule>,
    ) -> ApiResult<ScheduleRow> {
        for _ in 0..TRIES {
            let row = self.schedule(tenant, which).await?;
            let change = how(&row, self.store.now().await?)?;
            let name = change.spec.as_ref().map_or_else(String::new, |spec| spec.name.clone());
            match self.store.change_schedule(tenant, row.id, change).await? {
                PutSchedule::Stored(row) => return Ok(*row),
                PutSchedule::Moved => {}
                PutSchedule::NameTaken => return Err(taken(&name)),
                PutSchedule::NotFound => return Err(unknown(which)),
            }
        }
        Err(ApiError::new(BUSY_SCHEDULE, "Other changes of the schedule were faster every time: try again."))
    }
}

/// The rule of a stored schedule, which was sound when it was stored.
pub(crate) fn rule_of(row: &ScheduleRow) -> ApiResult<Rule> {
    row.spec.check().map_err(ApiError::invalid_schedule)
}
