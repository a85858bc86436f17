//! `PUT /api/v1/agents/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use agenticai_domain::spec::AgentSpec;
use agenticai_store::PutAgent;
use agenticai_wire::AgentView;

use crate::auth::Auth;
use crate::extract::{ApiJson, ApiPath};
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Makes a new version of an agent by its name, creating the agent where there is none. Content that the newest
/// version has already makes none and answers 200.
#[utoipa::path(
    put, path = "/api/v1/agents/{id}", tag = "agents", request_body = AgentSpec,
    params(("id" = String, Path, description = "The agent's name, as in the body")),
    responses(
        (status = 200, description = "Nothing has changed: the newest version", body = AgentView),
        (status = 201, description = "A new version", body = AgentView, headers(("Location" = String, description = "The agent's address")))
    )
)]
pub(crate) async fn put_agent(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(name): ApiPath<String>,
    ApiJson(spec): ApiJson<AgentSpec>,
) -> ApiResult<Response> {
    if spec.name != name {
        let why = format!("is `{}` but the address says `{name}`: agents are put by their name", spec.name);
        return Err(ApiError::invalid("name", why));
    }
    let new = api.resolve_agent(who, spec).await?;
    let outcome = api.store.put_agent(new).await?;
    // Also where nothing changed here: another process may have stored what this one still remembers otherwise.
    api.agents.forget(who.tenant);
    Ok(match outcome {
        PutAgent::Stored(version) => {
            let at = format!("/api/v1/agents/{}", version.id);
            (StatusCode::CREATED, [(header::LOCATION, at)], Json(api.agent_view(&version))).into_response()
        }
        PutAgent::Unchanged(version) => Json(api.agent_view(&version)).into_response(),
    })
}
