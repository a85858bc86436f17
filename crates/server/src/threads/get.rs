//! `GET /api/v1/threads/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::ThreadView;

use super::view::thread_view;
use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// A thread, with the task whose turn it is and those that wait for theirs.
#[utoipa::path(
    get, path = "/api/v1/threads/{id}", tag = "threads",
    params(("id" = String, Path, description = "The thread's name or id")),
    responses((status = 200, description = "The thread", body = ThreadView))
)]
pub(crate) async fn get_thread(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<Json<ThreadView>> {
    Ok(Json(thread_view(&api.thread(who.tenant, &which).await?)))
}
