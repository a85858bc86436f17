//! `GET /api/v1/tasks/{id}/steps/{turn}/request`: the exact request that a model was sent.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use agenticai_domain::journal::{Entry, Recorded, Turn};
use agenticai_store::read_whole_journal;

use crate::auth::Auth;
use crate::extract::{ApiPath, task_id};
use crate::problem::{ApiError, ApiResult, REQUEST_UNAVAILABLE, UNKNOWN_STEP};
use crate::state::Api;

/// The body of a model call, built again from specification and journal, byte by byte as it was sent: its SHA-256 is
/// the journaled one. Secrets travel in headers and are not part of it.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/steps/{turn}/request", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task"),
        ("turn" = String, Path, description = "The step of a model call: its turn, from 1")
    ),
    responses((
        status = 200, description = "The body as it was sent", body = Object,
        headers(
            ("x-agenticai-sha256" = String, description = "SHA-256 of the body, hex, as journaled"),
            ("x-agenticai-provider" = String, description = "The provider that was asked"),
            ("x-agenticai-model" = String, description = "The model that was asked for")
        )
    ))
)]
pub(crate) async fn show_request(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath((id, turn)): ApiPath<(String, String)>,
) -> ApiResult<Response> {
    let row = api.task(who.tenant, task_id(&id)?).await?;
    let journal = read_whole_journal(api.store.as_ref(), who.tenant, row.head.id).await?;
    let found = turn
        .parse()
        .ok()
        .and_then(|number: u32| find(&journal, number))
        .ok_or_else(|| unknown(&turn, &journal))?;
    let agent = api.agent_of_task(who.tenant, row.head.agent, row.head.agent_version).await?;
    let unavailable = |why: String| {
        ApiError::new(
            REQUEST_UNAVAILABLE,
            format!("The request of turn {} cannot be built again: {why}.", found.turn),
        )
    };
    let body = api
        .abilities
        .rebuild_request(&agent.version, &row.head, &journal, found.turn)
        .map_err(unavailable)?;
    // Nothing is shown as the request that was not proved to be it.
    if hex::encode(Sha256::digest(&body)) != found.request.sha256 {
        return Err(unavailable("this program builds other bytes than the one that sent it".to_owned()));
    }
    let headers = [
        ("content-type", "application/json"),
        ("x-agenticai-sha256", found.request.sha256.as_str()),
        ("x-agenticai-provider", found.request.provider.as_str()),
        ("x-agenticai-model", found.request.model.as_str()),
    ];
    let mut response = body.into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in headers {
        // A model's name is free text; where it does not fit a header, the journal still has it.
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn find(journal: &[Recorded], number: u32) -> Option<&Turn> {
    journal.iter().find_map(|recorded| match &recorded.entry {
        Entry::Turn(turn) if turn.turn == number => Some(&**turn),
        _ => None,
    })
}

fn unknown(step: &str, journal: &[Recorded]) -> ApiError {
    let turns = journal.iter().filter(|recorded| matches!(recorded.entry, Entry::Turn(_))).count();
    ApiError::new(
        UNKNOWN_STEP,
        format!("`{step}` is no model call of this task; it has committed {turns} so far."),
    )
}
