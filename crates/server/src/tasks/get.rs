//! `GET /api/v1/tasks/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_domain::task::WaitKind;
use agenticai_wire::{LateResultView, TaskView};

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
    let mut view = api.task_view(&row).await?;
    let unknown = view.waiting_for.iter().any(|wait| wait.kind == WaitKind::Uncertain);
    if unknown || row.status.is_terminal() {
        let late = api.store.late_results(who.tenant, row.head.id).await?;
        view.late_results =
            late.into_iter().map(|(epoch, step, result)| LateResultView { step, epoch, result }).collect();
    }
    Ok(Json(view))
}
