//! `POST /api/v1/tasks/{id}/resolve`: a person's word on a call whose outcome is unknown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use agenticai_domain::inbox::{InboxBody, ResolveDecision};
use agenticai_domain::task::WaitKind;
use agenticai_wire::{ResolveRequest, TaskView};

use super::cancel::ended;
use super::signals::signer;
use crate::auth::Auth;
use crate::extract::{ApiJson, ApiPath, task_id};
use crate::problem::{ALREADY_DECIDED, ApiError, ApiResult};
use crate::state::Api;

/// Decides an uncertain step: it was `done` (with its `result`), it was `not_done` and is sent again, or the task is
/// to be cancelled. Sending the same again is harmless; with `attempt` also when the step has become uncertain anew.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/resolve", tag = "tasks", request_body = ResolveRequest,
    params(("id" = String, Path, description = "The task")),
    responses((status = 202, description = "Committed to the task's inbox; the task as it stood then", body = TaskView))
)]
pub(crate) async fn resolve_step(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<ResolveRequest>,
) -> ApiResult<(StatusCode, Json<TaskView>)> {
    let decision = match (body.decision.as_str(), body.result) {
        ("done", result) => ResolveDecision::Done { result: result.unwrap_or_default() },
        ("not_done", None) => ResolveDecision::NotDone,
        ("cancel", None) => ResolveDecision::Cancel,
        ("not_done" | "cancel", Some(_)) => return Err(ApiError::invalid("result", "goes with `done` only")),
        (other, _) => {
            return Err(ApiError::invalid(
                "decision",
                format!("`{other}` is none: use done, not_done or cancel"),
            ));
        }
    };
    let row = api.task(who.tenant, task_id(&id)?).await?;
    if row.status.is_terminal() {
        return Err(ended(row.head.id, row.status));
    }
    let agent = api.agent_of_task(who.tenant, row.head.agent, row.head.agent_version).await?;
    let standing = api.standing(&row, &agent).await?;
    let open =
        standing.wait(body.step, WaitKind::Uncertain).and_then(|_| standing.uncertain_attempt(body.step));
    if let (Some(meant), Some(open)) = (body.attempt, open)
        && meant != open
    {
        return Err(ApiError::new(
            ALREADY_DECIDED,
            format!("Attempt {open} of step {} is uncertain now, not attempt {meant}.", body.step),
        ));
    }
    let message = InboxBody::Resolve { step: body.step, decision, by: Some(signer(who)) };
    api.deliver_to_step(&row, &standing, message).await?;
    let row = api.task(who.tenant, row.head.id).await?;
    Ok((StatusCode::ACCEPTED, Json(api.task_view(&row).await?)))
}
