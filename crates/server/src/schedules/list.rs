//! `GET /api/v1/schedules`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::SchedulePage;

use super::view::schedule_view;
use crate::auth::Auth;
use crate::extract::Params;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Schedules, by name.
#[utoipa::path(
    get, path = "/api/v1/schedules", tag = "schedules",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses((status = 200, description = "The schedules", body = SchedulePage))
)]
pub(crate) async fn list_schedules(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    mut query: Params,
) -> ApiResult<Json<SchedulePage>> {
    let (limit, cursor) = (query.limit()?, query.take("cursor")?);
    query.done()?;
    let page = api.store.list_schedules(who.tenant, cursor, limit).await.map_err(ApiError::from_list)?;
    let items = page.items.iter().map(schedule_view).collect();
    Ok(Json(SchedulePage { items, next_cursor: page.next_cursor }))
}
