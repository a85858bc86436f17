//! `GET /api/v1/threads/{id}/tasks`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_store::TaskFilter;
use agenticai_wire::TaskPage;

use crate::auth::Auth;
use crate::extract::{ApiPath, Params};
use crate::problem::ApiResult;
use crate::state::Api;

/// Tasks of a thread, newest first: those that have ended, the active one, and those that wait for their turn.
#[utoipa::path(
    get, path = "/api/v1/threads/{id}/tasks", tag = "threads",
    params(
        ("id" = String, Path, description = "The thread's name or id"),
        ("status" = Option<String>, Query, description = "One status, or several with commas between"),
        ("agent" = Option<String>, Query, description = "An agent's name or id"),
        ("metadata.KEY" = Option<String>, Query, description = "Tasks whose metadata holds this text under KEY; several must hold together"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses((status = 200, description = "The tasks", body = TaskPage))
)]
pub(crate) async fn list_thread_tasks(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    mut query: Params,
) -> ApiResult<Json<TaskPage>> {
    let filter = api.task_filter(who.tenant, &mut query).await?;
    let thread = api.thread(who.tenant, &which).await?.id;
    let filter = TaskFilter { thread: Some(thread), ..filter };
    Ok(Json(api.task_page(who.tenant, filter, query).await?))
}
