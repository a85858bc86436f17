//! `GET /api/v1/tasks/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::TaskView;

use crate::auth::Auth;
use crate::extract::{ApiPath, task_id};
use crate::problem::ApiResult;
use crate::state::Api;

/// A task as it stands, with what it has consumed up to its newest journal entry.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "tasks",
    params(("id" = String, Path, description = "The task")),
    responses((status = 200, description = "The task", body = TaskView))
)]
pub(crate) async fn get_task(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<TaskView>> {
    let row = api.task(who.tenant, task_id(&id)?).await?;
    Ok(Json(api.task_view(&row).await?))
}
