//! `POST /api/v1/schedules/{id}/pause` and `…/resume`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_store::ChangeSchedule;
use agenticai_wire::ScheduleView;

use super::rule_of;
use super::view::schedule_view;
use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// Pauses a schedule: its occurrences are passed over, and firings that wait go on waiting. Its tasks go on.
#[utoipa::path(
    post, path = "/api/v1/schedules/{id}/pause", tag = "schedules",
    params(("id" = String, Path, description = "The schedule's name or id")),
    responses((status = 200, description = "The schedule", body = ScheduleView))
)]
pub(crate) async fn pause_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<Json<ScheduleView>> {
    let row = api
        .change_schedule(who.tenant, &which, |row, _| {
            Ok(ChangeSchedule { revision: row.revision, spec: None, paused: true, next_fire_at: None })
        })
        .await?;
    Ok(Json(schedule_view(&row)))
}

/// Resumes a schedule at its first occurrence from now on; what was passed over is not made up for. One that is not
/// paused stays as it is.
#[utoipa::path(
    post, path = "/api/v1/schedules/{id}/resume", tag = "schedules",
    params(("id" = String, Path, description = "The schedule's name or id")),
    responses((status = 200, description = "The schedule", body = ScheduleView))
)]
pub(crate) async fn resume_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<Json<ScheduleView>> {
    let row = api
        .change_schedule(who.tenant, &which, |row, now| {
            let next_fire_at = if row.paused { rule_of(row)?.after(now) } else { row.next_fire_at };
            Ok(ChangeSchedule { revision: row.revision, spec: None, paused: false, next_fire_at })
        })
        .await?;
    Ok(Json(schedule_view(&row)))
}
