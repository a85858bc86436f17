//! `PUT /api/v1/budgets/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_store::BudgetSelector;
use agenticai_wire::{BudgetBounds, BudgetView};

use super::view::budget_view;
use crate::auth::Auth;
use crate::extract::{ApiJson, ApiPath};
use crate::problem::ApiResult;
use crate::state::Api;

/// Sets the bounds of a budget anew, both of them: one that is left out is none. What is spent stays. A higher bound lets
/// calls through that wait; a task that has failed for the lower one stays so.
#[utoipa::path(
    put, path = "/api/v1/budgets/{id}", tag = "budgets", request_body = BudgetBounds,
    params(("id" = String, Path, description = "The budget's name or id")),
    responses((status = 200, description = "The budget as it stands", body = BudgetView))
)]
pub(crate) async fn put_budget(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    ApiJson(bounds): ApiJson<BudgetBounds>,
) -> ApiResult<Json<BudgetView>> {
    let limits = super::limits("", bounds)?;
    if !api.store.limit_budget(who.tenant, BudgetSelector::from(which.as_str()), limits).await? {
        return Err(super::unknown(&which));
    }
    let row = api.budget(who.tenant, &which).await?;
    Ok(Json(budget_view(&row, api.store.now().await?)))
}
