//! `GET /api/v1/schedules/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::ScheduleView;

use super::view::schedule_view;
use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// A schedule.
#[utoipa::path(
    get, path = "/api/v1/schedules/{id}", tag = "schedules",
    params(("id" = String, Path, description = "The schedule's name or id")),
    responses((status = 200, description = "The schedule", body = ScheduleView))
)]
pub(crate) async fn get_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<Json<ScheduleView>> {
    Ok(Json(schedule_view(&api.schedule(who.tenant, &which).await?)))
}
