//! `DELETE /api/v1/threads/{id}`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use agenticai_store::{DeleteThread, ThreadSelector};

use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// Removes a thread all of whose tasks have ended. The tasks stay, and belong to no thread any more.
#[utoipa::path(
    delete, path = "/api/v1/threads/{id}", tag = "threads",
    params(("id" = String, Path, description = "The thread's name or id")),
    responses((status = 204, description = "It is gone"))
)]
pub(crate) async fn delete_thread(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<StatusCode> {
    match api.store.delete_thread(who.tenant, ThreadSelector::from(which.as_str())).await? {
        DeleteThread::Deleted => Ok(StatusCode::NO_CONTENT),
        DeleteThread::Active(task) => Err(super::busy(task)),
        DeleteThread::NotFound => Err(super::unknown(which)),
    }
}
