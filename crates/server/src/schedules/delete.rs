//! `DELETE /api/v1/schedules/{id}`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use agenticai_store::ScheduleSelector;

use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// Removes a schedule and its firings that wait. Its tasks go on.
#[utoipa::path(
    delete, path = "/api/v1/schedules/{id}", tag = "schedules",
    params(("id" = String, Path, description = "The schedule's name or id")),
    responses((status = 204, description = "It is gone"))
)]
pub(crate) async fn delete_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<StatusCode> {
    let gone = api.store.delete_schedule(who.tenant, ScheduleSelector::from(which.as_str())).await?;
    if gone { Ok(StatusCode::NO_CONTENT) } else { Err(super::unknown(&which)) }
}
