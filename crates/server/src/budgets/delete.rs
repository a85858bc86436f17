//! `DELETE /api/v1/budgets/{id}`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use agenticai_store::BudgetSelector;

use crate::auth::Auth;
use crate::extract::ApiPath;
use crate::problem::ApiResult;
use crate::state::Api;

/// Removes a budget: it binds nobody any more.
#[utoipa::path(
    delete, path = "/api/v1/budgets/{id}", tag = "budgets",
    params(("id" = String, Path, description = "The budget's name or id")),
    responses((status = 204, description = "It is gone"))
)]
pub(crate) async fn delete_budget(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
) -> ApiResult<StatusCode> {
    match api.store.delete_budget(who.tenant, BudgetSelector::from(which.as_str())).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(super::unknown(&which)),
    }
}
