//! `DELETE /api/v1/agents/{id}`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use agenticai_store::AgentSelector;

use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// Hides an agent and frees its name. Tasks that run it go on.
#[utoipa::path(
    delete, path = "/api/v1/agents/{id}", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id")),
    responses((status = 204, description = "It is gone"))
)]
pub(crate) async fn delete_agent(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<StatusCode> {
    let gone = api.store.delete_agent(who.tenant, AgentSelector::from(which.as_str())).await?;
    api.agents.forget(who.tenant);
    if gone { Ok(StatusCode::NO_CONTENT) } else { Err(super::unknown(&which, None)) }
}
