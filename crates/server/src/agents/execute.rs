//! `POST /api/v1/agents/{id}/execute`: a task, and its answer if the client waits long enough.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast::error::RecvError;

use agenticai_broker::Live;
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_store::TaskRow;
use agenticai_wire::{CreateTaskRequest, ExecuteRequest, TaskView};

use crate::auth::Auth;
use crate::extract::{ApiJson, ApiPath, IdempotencyKey, Prefer, traceparent};
use crate::problem::ApiResult;
use crate::state::Api;
use crate::tasks::create::at;

/// Creates a task of the agent. With `Prefer: wait=N` the answer is 200 with the task if it ends within N seconds, and
/// else 202 with the task as it stands; without it the answer is 202 at once. A client that stops waiting stops
/// nothing. The server waits no longer than its own bound and says in `Preference-Applied` how long it would.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/execute", tag = "agents", request_body = ExecuteRequest,
    params(
        ("id" = String, Path, description = "The agent's name or id"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds to wait for the end"),
        ("Idempotency-Key" = Option<String>, Header, description = "As in POST /api/v1/tasks, with which it shares its keys")
    ),
    responses(
        (status = 200, description = "The task has ended", body = TaskView, headers(("Location" = String, description = "The task's address"))),
        (status = 202, description = "The task is committed and has not ended", body = TaskView, headers(("Location" = String, description = "The task's address")))
    )
)]
pub(crate) async fn execute_agent(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    Prefer(wait): Prefer,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    ApiJson(body): ApiJson<ExecuteRequest>,
) -> ApiResult<Response> {
    let ExecuteRequest {
        input,
        agent_version,
        priority,
        timeout_seconds,
        metadata,
        thread,
        if_active,
        budget,
    } = body;
    let task = CreateTaskRequest {
        agent: which,
        agent_version,
        input,
        priority,
        timeout_seconds,
        metadata,
        thread,
        if_active,
        budget,
    };
    let accepted = api.create_task(who, task, key, traceparent(&headers)).await?.row();
    let id = accepted.head.id;

    let wait = wait.map(|wait| wait.min(api.settings.max_wait));
    let row = match wait {
        None => *accepted,
        Some(wait) => api.wait_for_end(who.tenant, id, wait).await?,
    };
    let status = if row.status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let view: TaskView = api.task_view(&row).await?;
    let mut response = (status, [at(id)], Json(view)).into_response();
    if let Some(wait) = wait
        && let Ok(applied) = format!("wait={}", wait.as_secs()).parse()
    {
        response.headers_mut().insert("preference-applied", applied);
    }
    Ok(response)
}

impl Api {
    /// The task as it ended, or as it stands when the time is over or the server stops.
    async fn wait_for_end(&self, tenant: TenantId, id: TaskId, wait: Duration) -> ApiResult<TaskRow> {
        // Subscribed before the first look, so that the end cannot fall between.
        let (mut live, mut news) = (self.broker.subscribe(id), self.hub.watch(id));
        let time_out = tokio::time::sleep(wait);
        tokio::pin!(time_out);
        loop {
            let row = self.task(tenant, id).await?;
            if row.status.is_terminal() || time_out.is_elapsed() || self.shutdown.is_cancelled() {
                return Ok(row);
            }
            loop {
                tokio::select! {
                    () = &mut time_out => break,
                    () = self.shutdown.cancelled() => break,
                    _ = news.changed() => break,
                    event = live.recv() => match event.as_deref() {
                        Ok(Live::Token(_) | Live::Started { .. }) => {}
                        Ok(Live::Appended { .. }) | Err(RecvError::Lagged(_)) => break,
                        // Without live events the hub's news remain.
                        Err(RecvError::Closed) => {
                            live = self.broker.subscribe(id);
                            tokio::time::sleep(Duration::from_millis(500)).await;
                            break;
                        }
                    },
                }
            }
        }
    }
}
