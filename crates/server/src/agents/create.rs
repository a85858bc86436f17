//! `POST /api/v1/agents`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use agenticai_domain::spec::AgentSpec;
use agenticai_store::CreateAgent;
use agenticai_wire::AgentView;

use crate::auth::Auth;
use crate::extract::ApiJson;
use crate::problem::{AGENT_EXISTS, ApiError, ApiResult};
use crate::state::Api;

/// Creates an agent as version 1. A name that is taken is a conflict; PUT makes a new version.
#[utoipa::path(
    post, path = "/api/v1/agents", tag = "agents", request_body = AgentSpec,
    responses((status = 201, description = "Created", body = AgentView, headers(("Location" = String, description = "The agent's address"))))
)]
pub(crate) async fn create_agent(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiJson(spec): ApiJson<AgentSpec>,
) -> ApiResult<Response> {
    let new = api.resolve_agent(who, spec).await?;
    let name = new.spec.name.clone();
    match api.store.create_agent(new).await? {
        CreateAgent::Created(version) => {
            api.agents.forget(who.tenant);
            let at = format!("/api/v1/agents/{}", version.id);
            Ok((StatusCode::CREATED, [(header::LOCATION, at)], Json(api.agent_view(&version)))
                .into_response())
        }
        CreateAgent::Exists => Err(ApiError::new(
            AGENT_EXISTS,
            format!(
                "There is an agent `{name}` already: PUT /api/v1/agents/{name} makes a new version of it."
            ),
        )),
    }
}
