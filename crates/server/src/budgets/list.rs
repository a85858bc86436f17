//! `GET /api/v1/budgets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::BudgetPage;

use super::view::budget_view;
use crate::auth::Auth;
use crate::extract::Params;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// Budgets by name; those of single tasks are not among them.
#[utoipa::path(
    get, path = "/api/v1/budgets", tag = "budgets",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses((status = 200, description = "The budgets", body = BudgetPage))
)]
pub(crate) async fn list_budgets(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    mut query: Params,
) -> ApiResult<Json<BudgetPage>> {
    let (limit, cursor) = (query.limit()?, query.take("cursor")?);
    query.done()?;
    let page = api.store.list_budgets(who.tenant, cursor, limit).await.map_err(ApiError::from_list)?;
    let now = api.store.now().await?;
    let items = page.items.iter().map(|row| budget_view(row, now)).collect();
    Ok(Json(BudgetPage { items, next_cursor: page.next_cursor }))
}
