//! `PUT /api/v1/schedules/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_store::ChangeSchedule;
use agenticai_wire::{ScheduleRequest, ScheduleView};

use super::view::schedule_view;
use crate::auth::Auth;
use crate::extract::{ApiJson, ApiPath};
use crate::problem::ApiResult;
use crate::state::Api;

/// Writes a schedule anew. Its next occurrence is the first one from now on; firings that wait go on waiting. What the
/// body does not say gets its default, but `paused`, which stays.
#[utoipa::path(
    put, path = "/api/v1/schedules/{id}", tag = "schedules", request_body = ScheduleRequest,
    params(("id" = String, Path, description = "The schedule's name or id")),
    responses((status = 200, description = "The schedule as it stands now", body = ScheduleView))
)]
pub(crate) async fn put_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    ApiJson(body): ApiJson<ScheduleRequest>,
) -> ApiResult<Json<ScheduleView>> {
    let wanted = body.paused;
    let (spec, rule, _) = api.check_schedule(who, body).await?;
    let row = api
        .change_schedule(who.tenant, &which, |row, now| {
            let paused = wanted.unwrap_or(row.paused);
            Ok(ChangeSchedule {
                revision: row.revision,
                spec: Some(spec.clone()),
                paused,
                next_fire_at: if paused { None } else { rule.after(now) },
            })
        })
        .await?;
    Ok(Json(schedule_view(&row)))
}
