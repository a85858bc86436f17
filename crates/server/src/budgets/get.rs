//! `GET /api/v1/budgets/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::BudgetView;

use super::view::budget_view;
use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// A budget, with what is spent and what is reserved. A task's own budget has the task's id.
#[utoipa::path(
    get, path = "/api/v1/budgets/{id}", tag = "budgets",
    params(("id" = String, Path, description = "The budget's name or id")),
    responses((status = 200, description = "The budget", body = BudgetView))
)]
pub(crate) async fn get_budget(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<Json<BudgetView>> {
    let row = api.budget(who.tenant, &which).await?;
    Ok(Json(budget_view(&row, api.store.now().await?)))
}
