//! `POST /api/v1/schedules`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use agenticai_domain::ids::{ScheduleId, TenantId};
use agenticai_store::{NewSchedule, PutSchedule};
use agenticai_wire::{ScheduleRequest, ScheduleView};

use super::view::schedule_view;
use crate::auth::Auth;
use crate::extract::{ApiJson, IdempotencyKey};
use crate::problem::{ApiError, ApiResult, IDEMPOTENCY_CONFLICT};
use crate::state::Api;

/// Creates a schedule. Its first occurrence is the first one from now on. With an `Idempotency-Key` the same request may
/// be sent again and answers the first one's schedule.
#[utoipa::path(
    post, path = "/api/v1/schedules", tag = "schedules", request_body = ScheduleRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters. The same key with another body is a conflict")),
    responses((status = 201, description = "Created", body = ScheduleView, headers(("Location" = String, description = "The schedule's address"))))
)]
pub(crate) async fn create_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    IdempotencyKey(key): IdempotencyKey,
    ApiJson(body): ApiJson<ScheduleRequest>,
) -> ApiResult<Response> {
    let paused = body.paused.unwrap_or(false);
    let (spec, _, next) = api.check_schedule(who, body).await?;
    let new = NewSchedule {
        id: id(who.tenant, key.as_deref()),
        tenant: who.tenant,
        spec: spec.clone(),
        paused,
        next_fire_at: (!paused).then_some(next),
        created_by: Some(who.user),
    };
    match api.store.create_schedule(new).await? {
        // Of a schedule that was changed since, nobody knows any more what its first request said.
        PutSchedule::Stored(row) if row.revision == 1 && (&row.spec, row.paused) != (&spec, paused) => {
            let detail = format!(
                "The Idempotency-Key was used with another body and made the schedule `{}`: use a new key for a new \
                 request.",
                row.spec.name
            );
            Err(ApiError::new(IDEMPOTENCY_CONFLICT, detail))
        }
        PutSchedule::Stored(row) => {
            let at = format!("/api/v1/schedules/{}", row.id);
            Ok((StatusCode::CREATED, [(header::LOCATION, at)], Json(schedule_view(&row))).into_response())
        }
        PutSchedule::NameTaken => Err(super::taken(&spec.name)),
        gone @ (PutSchedule::Moved | PutSchedule::NotFound) => {
            Err(ApiError::internal(format!("a new schedule cannot be found again: {gone:?}")))
        }
    }
}

/// A key makes the id: sent again, the request finds the schedule that it made.
fn id(tenant: TenantId, key: Option<&str>) -> ScheduleId {
    ScheduleId(match key {
        None => Uuid::now_v7(),
        Some(key) => Uuid::new_v5(&tenant.0, format!("schedule:{key}").as_bytes()),
    })
}
