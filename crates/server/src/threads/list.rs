//! `GET /api/v1/threads`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::ThreadPage;

use super::view::thread_view;
use crate::auth::Auth;
use crate::extract::Params;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Threads, newest first.
#[utoipa::path(
    get, path = "/api/v1/threads", tag = "threads",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses((status = 200, description = "The threads", body = ThreadPage))
)]
pub(crate) async fn list_threads(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    mut query: Params,
) -> ApiResult<Json<ThreadPage>> {
    let (limit, cursor) = (query.limit()?, query.take("cursor")?);
    query.done()?;
    let page = api.store.list_threads(who.tenant, cursor, limit).await.map_err(ApiError::from_list)?;
    Ok(Json(ThreadPage {
        items: page.items.iter().map(thread_view).collect(),
        next_cursor: page.next_cursor,
    }))
}
