//! `GET /api/v1/agents`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::AgentPage;

use crate::auth::Auth;
use crate::extract::Params;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// The newest version of every agent, by name.
#[utoipa::path(
    get, path = "/api/v1/agents", tag = "agents",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses((status = 200, description = "The agents", body = AgentPage))
)]
pub(crate) async fn list_agents(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    mut query: Params,
) -> ApiResult<Json<AgentPage>> {
    let (limit, cursor) = (query.limit()?, query.take("cursor")?);
    query.done()?;
    let page = api.store.list_agents(who.tenant, cursor, limit).await.map_err(ApiError::from_list)?;
    let items = page.items.iter().map(|version| api.agent_view(version)).collect();
    Ok(Json(AgentPage { items, next_cursor: page.next_cursor }))
}
