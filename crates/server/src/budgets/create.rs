//! `POST /api/v1/budgets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use agenticai_domain::budget::BudgetScope;
use agenticai_domain::ids::BudgetId;
use agenticai_domain::thread::check_name;
use agenticai_store::{AgentSelector, CreateBudget, NewBudget, Principal};
use agenticai_wire::{BudgetBounds, BudgetRequest, BudgetView};

use super::view::budget_view;
use crate::auth::Auth;
use crate::extract::{ApiJson, IdempotencyKey};
use crate::problem::{ApiError, ApiResult, BUDGET_EXISTS, IDEMPOTENCY_CONFLICT};
use crate::state::Api;

/// Creates a budget. It binds model calls that begin a second later, also of tasks that run already; what these have
/// spent before does not count. With an `Idempotency-Key` the same request may be sent again and answers the first one's
/// budget.
#[utoipa::path(
    post, path = "/api/v1/budgets", tag = "budgets", request_body = BudgetRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters. The same key with another body is a conflict")),
    responses((status = 201, description = "Created", body = BudgetView, headers(("Location" = String, description = "The budget's address"))))
)]
pub(crate) async fn create_budget(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    IdempotencyKey(key): IdempotencyKey,
    ApiJson(body): ApiJson<BudgetRequest>,
) -> ApiResult<Response> {
    check_name(&body.name).map_err(|why| ApiError::invalid("name", why))?;
    let bounds = BudgetBounds { max_tokens: body.max_tokens, max_cost_usd: body.max_cost_usd };
    let limits = super::limits("", bounds)?;
    // A key makes the id: sent again, the request finds the budget that it made.
    let id = BudgetId(match &key {
        None => Uuid::now_v7(),
        Some(key) => Uuid::new_v5(&who.tenant.0, format!("budget:{key}").as_bytes()),
    });
    let new = NewBudget {
        id,
        tenant: who.tenant,
        name: Some(body.name.clone()),
        scope: api.budget_scope(who, &body).await?,
        period: body.period.unwrap_or_default(),
        limits,
        created_by: Some(who.user),
    };
    match api.store.create_budget(new.clone()).await? {
        CreateBudget::Stored(row)
            if (&row.name, row.scope, row.period, row.limits)
                != (&new.name, new.scope, new.period, new.limits) =>
        {
            let detail = format!(
                "The Idempotency-Key was used with another body and made the budget {id}: use a new key for a new request."
            );
            Err(ApiError::new(IDEMPOTENCY_CONFLICT, detail))
        }
        CreateBudget::Stored(row) => {
            let at = format!("/api/v1/budgets/{}", row.id);
            let view = budget_view(&row, api.store.now().await?);
            Ok((StatusCode::CREATED, [(header::LOCATION, at)], Json(view)).into_response())
        }
        CreateBudget::NameTaken => Err(ApiError::new(
            BUDGET_EXISTS,
            format!(
                "There is a budget `{0}` already: choose another name, or change that one with PUT /api/v1/budgets/{0}.",
                body.name
            ),
        )),
        CreateBudget::NoSubject => {
            Err(ApiError::invalid("user", "there is no such user: leave it out, or use a user's id"))
        }
    }
}

impl Api {
    async fn budget_scope(&self, who: Principal, body: &BudgetRequest) -> ApiResult<BudgetScope> {
        match (&body.agent, body.user) {
            (None, None) => Ok(BudgetScope::Tenant),
            (None, Some(user)) => Ok(BudgetScope::User(user)),
            (Some(agent), None) => {
                let which = AgentSelector::from(agent.as_str());
                let found = self.store.agent(who.tenant, which, None).await?;
                let found = found
                    .ok_or_else(|| ApiError::invalid("agent", format!("there is no agent `{agent}`")))?;
                Ok(BudgetScope::Agent(found.id))
            }
            (Some(_), Some(_)) => {
                Err(ApiError::invalid("user", "a budget is an agent's or a user's: make one of each"))
            }
        }
    }
}
