//! `GET /api/v1/tasks/count`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::CountView;

use crate::auth::Auth;
use crate::extract::Params;
use crate::problem::ApiResult;
use crate::state::Api;

/// How many tasks there are, with the filters of the list.
#[utoipa::path(
    get, path = "/api/v1/tasks/count", tag = "tasks",
    params(
        ("status" = Option<String>, Query, description = "One status, or several with commas between"),
        ("agent" = Option<String>, Query, description = "An agent's name or id"),
        ("parent" = Option<String>, Query, description = "Children of this task"),
        ("paused" = Option<bool>, Query, description = "`true`: only tasks that are paused"),
        ("metadata.KEY" = Option<String>, Query, description = "Tasks whose metadata holds this text under KEY; several must hold together")
    ),
    responses((status = 200, description = "The number", body = CountView))
)]
pub(crate) async fn count_tasks(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    mut query: Params,
) -> ApiResult<Json<CountView>> {
    let filter = api.task_filter(who.tenant, &mut query).await?;
    query.done()?;
    Ok(Json(CountView { count: api.store.count_tasks(who.tenant, filter).await? }))
}
