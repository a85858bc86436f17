//! `GET /api/v1/tasks`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_domain::ids::TenantId;
use agenticai_store::TaskFilter;
use agenticai_wire::TaskPage;

use super::view::row_view;
use crate::auth::Auth;
use crate::extract::Params;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Tasks, newest first. Lists show what was known when a task last changed its status; a single task shows the live
/// usage.
#[utoipa::path(
    get, path = "/api/v1/tasks", tag = "tasks",
    params(
        ("status" = Option<String>, Query, description = "One status, or several with commas between"),
        ("agent" = Option<String>, Query, description = "An agent's name or id"),
        ("parent" = Option<String>, Query, description = "Children of this task"),
        ("paused" = Option<bool>, Query, description = "`true`: only tasks that are paused"),
        ("metadata.KEY" = Option<String>, Query, description = "Tasks whose metadata holds this text under KEY; several must hold together"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses((status = 200, description = "The tasks", body = TaskPage))
)]
pub(crate) async fn list_tasks(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    mut query: Params,
) -> ApiResult<Json<TaskPage>> {
    let filter = api.task_filter(who.tenant, &mut query).await?;
    Ok(Json(api.task_page(who.tenant, filter, query).await?))
}

impl Api {
    /// A page of the tasks that match a filter; what is left of the query says which page.
    pub async fn task_page(
        &self,
        tenant: TenantId,
        filter: TaskFilter,
        mut query: Params,
    ) -> ApiResult<TaskPage> {
        let (limit, cursor) = (query.limit()?, query.take("cursor")?);
        query.done()?;
        let page = self.store.list_tasks(tenant, filter, cursor, limit).await.map_err(ApiError::from_list)?;
        let mut items = Vec::with_capacity(page.items.len());
        for row in &page.items {
            let agent = self.agent_of_task(tenant, row.head.agent, row.head.agent_version).await?;
            items.push(row_view(row, &agent));
        }
        Ok(TaskPage { items, next_cursor: page.next_cursor })
    }
}
