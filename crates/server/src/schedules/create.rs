//! `POST /api/v1/schedules`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use agenticai_domain::ids::ScheduleId;
use agenticai_store::{NewSchedule, PutSchedule};
use agenticai_wire::{ScheduleRequest, ScheduleView};

use super::view::schedule_view;
use crate::auth::Auth;
use crate::extract::ApiJson;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Creates a schedule. Its first occurrence is the first one from now on.
#[utoipa::path(
    post, path = "/api/v1/schedules", tag = "schedules", request_body = ScheduleRequest,
    responses((status = 201, description = "Created", body = ScheduleView, headers(("Location" = String, description = "The schedule's address"))))
)]
pub(crate) async fn create_schedule(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiJson(body): ApiJson<ScheduleRequest>,
) -> ApiResult<Response> {
    let paused = body.paused.unwrap_or(false);
    let (spec, _, next) = api.check_schedule(who, body).await?;
    let name = spec.name.clone();
    let new = NewSchedule {
        id: ScheduleId(Uuid::now_v7()),
        tenant: who.tenant,
        spec,
        paused,
        next_fire_at: (!paused).then_some(next),
        created_by: Some(who.user),
    };
    match api.store.create_schedule(new).await? {
        PutSchedule::Stored(row) => {
            let at = format!("/api/v1/schedules/{}", row.id);
            Ok((StatusCode::CREATED, [(header::LOCATION, at)], Json(schedule_view(&row))).into_response())
        }
        PutSchedule::NameTaken => Err(super::taken(&name)),
        gone @ (PutSchedule::Moved | PutSchedule::NotFound) => {
            Err(ApiError::internal(format!("a new schedule cannot be found again: {gone:?}")))
        }
    }
}
