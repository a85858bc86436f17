//! `GET /api/v1/agents/{id}` and its versions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::{AgentPage, AgentView};

use crate::auth::Auth;
use crate::extract::{ApiPath, Params};
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// An agent's newest version, or the one that the query names.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", tag = "agents",
    params(
        ("id" = String, Path, description = "The agent's name or id"),
        ("version" = Option<u32>, Query, description = "A version; the newest where nothing is said")
    ),
    responses((status = 200, description = "The version", body = AgentView))
)]
pub(crate) async fn get_agent(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    mut query: Params,
) -> ApiResult<Json<AgentView>> {
    let version = query.parse("version")?;
    query.done()?;
    let found = api.agent(who.tenant, &which, version).await?;
    Ok(Json(api.agent_view(&found.version)))
}

/// All versions of an agent, oldest first.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/versions", tag = "agents",
    params(
        ("id" = String, Path, description = "The agent's name or id"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses((status = 200, description = "The versions", body = AgentPage))
)]
pub(crate) async fn list_agent_versions(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    mut query: Params,
) -> ApiResult<Json<AgentPage>> {
    let (limit, cursor) = (query.limit()?, query.parse::<u32>("cursor")?);
    query.done()?;
    let id = api.agent(who.tenant, &which, None).await?.version.id;
    let page =
        api.store.list_agent_versions(who.tenant, id, cursor, limit).await.map_err(ApiError::from_list)?;
    let items = page.items.iter().map(|version| api.agent_view(version)).collect();
    Ok(Json(AgentPage { items, next_cursor: page.next_cursor }))
}
