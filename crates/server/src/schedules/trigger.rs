//! `POST /api/v1/schedules/{id}/trigger`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use agenticai_domain::schedule::{FiringState, task_of_trigger};
use agenticai_domain::task::NewTask;
use agenticai_store::{Fire, FireOutcome, NewFiring};
use agenticai_wire::FiringView;

use super::view::firing_view;
use crate::auth::Auth;
use crate::extract::{ApiPath, IdempotencyKey};
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Fires a schedule now, paused or not; its occurrences stay as they are. While its newest task has not ended, `overlap`
/// says what comes of it. With an `Idempotency-Key` it may be sent again and answers the first firing as it stands.
#[utoipa::path(
    post, path = "/api/v1/schedules/{id}/trigger", tag = "schedules",
    params(
        ("id" = String, Path, description = "The schedule's name or id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters, unique for the schedule")
    ),
    responses((status = 202, description = "What came of it", body = FiringView))
)]
pub(crate) async fn trigger_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    IdempotencyKey(key): IdempotencyKey,
) -> ApiResult<Response> {
    let row = api.schedule(who.tenant, &which).await?;
    let agent = api.agent(who.tenant, &row.spec.agent, row.spec.agent_version).await?;
    let id = task_of_trigger(row.id, &key.unwrap_or_else(|| Uuid::new_v4().to_string()));
    let task = NewTask { created_by: Some(who.user), ..row.spec.task(id, &agent.version) };
    let firing = NewFiring { id, due_at: api.store.now().await?, task: Ok(task) };
    let fire = Fire { tenant: who.tenant, schedule: row.id, advance: None, firings: vec![firing] };
    match api.store.fire(fire).await? {
        FireOutcome::Fired(firings) => {
            let firing =
                firings.into_iter().next().ok_or_else(|| ApiError::internal("a trigger left no firing"))?;
            if firing.state == FiringState::Created {
                api.broker.hint();
            }
            Ok((StatusCode::ACCEPTED, Json(firing_view(&firing))).into_response())
        }
        FireOutcome::Moved | FireOutcome::NotFound => Err(super::unknown(&which)),
    }
}
