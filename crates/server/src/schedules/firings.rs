//! `GET /api/v1/schedules/{id}/firings`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::FiringPage;

use super::view::firing_view;
use crate::auth::Auth;
use crate::extract::{ApiPath, Params};
use crate::problem::ApiResult;
use crate::state::Api;

/// What came of a schedule's firings, newest first: those that wait, and the newest hundred.
#[utoipa::path(
    get, path = "/api/v1/schedules/{id}/firings", tag = "schedules",
    params(
        ("id" = String, Path, description = "The schedule's name or id"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers")
    ),
    responses((status = 200, description = "The firings", body = FiringPage))
)]
pub(crate) async fn list_firings(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    mut query: Params,
) -> ApiResult<Json<FiringPage>> {
    let limit = query.limit()?;
    query.done()?;
    let row = api.schedule(who.tenant, &which).await?;
    let firings = api.store.firings(who.tenant, row.id, limit).await?;
    Ok(Json(FiringPage { items: firings.iter().map(firing_view).collect() }))
}
