//! `POST /api/v1/threads`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use agenticai_domain::ids::ThreadId;
use agenticai_domain::thread::check_name;
use agenticai_store::{CreateThread, NewThread};
use agenticai_wire::{ThreadRequest, ThreadView};

use super::view::thread_view;
use crate::auth::Auth;
use crate::extract::{ApiJson, IdempotencyKey};
use crate::problem::{ApiError, ApiResult, IDEMPOTENCY_CONFLICT, THREAD_EXISTS};
use crate::state::Api;

/// Creates a thread. Tasks that name a thread which does not exist yet make it too. With an `Idempotency-Key` the same
/// request may be sent again and answers the first one's thread.
#[utoipa::path(
    post, path = "/api/v1/threads", tag = "threads", request_body = ThreadRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters. The same key with another body is a conflict")),
    responses((status = 201, description = "Created", body = ThreadView, headers(("Location" = String, description = "The thread's address"))))
)]
pub(crate) async fn create_thread(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    IdempotencyKey(key): IdempotencyKey,
    ApiJson(ThreadRequest { name }): ApiJson<ThreadRequest>,
) -> ApiResult<Response> {
    if let Some(name) = &name {
        check_name(name).map_err(|why| ApiError::invalid("name", why))?;
    }
    // A key makes the id: sent again, the request finds the thread that it made.
    let id = ThreadId(match &key {
        None => Uuid::now_v7(),
        Some(key) => Uuid::new_v5(&who.tenant.0, format!("thread:{key}").as_bytes()),
    });
    let new = NewThread { id, tenant: who.tenant, name: name.clone(), created_by: Some(who.user) };
    match api.store.create_thread(new).await? {
        CreateThread::Stored(row) if row.name != name => Err(ApiError::new(
            IDEMPOTENCY_CONFLICT,
            format!(
                "The Idempotency-Key was used with another body and made the thread {id}: use a new key for a new request."
            ),
        )),
        CreateThread::Stored(row) => {
            let at = format!("/api/v1/threads/{}", row.id);
            Ok((StatusCode::CREATED, [(header::LOCATION, at)], Json(thread_view(&row))).into_response())
        }
        CreateThread::NameTaken => Err(ApiError::new(
            THREAD_EXISTS,
            format!(
                "There is a thread `{}` already: use it, or choose another name.",
                name.unwrap_or_default()
            ),
        )),
    }
}
