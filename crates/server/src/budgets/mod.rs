//! Budgets.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod view;

use agenticai_domain::budget::{BudgetLimits, BudgetPeriod, BudgetScope};
use agenticai_domain::ids::{BudgetId, TaskId, TenantId};
use agenticai_domain::usage::NanoUsd;
use agenticai_store::{BudgetRow, BudgetSelector, CreateBudget, NewBudget, Principal};
use agenticai_wire::BudgetBounds;

use crate::problem::{ApiError, ApiResult, UNKNOWN_BUDGET};
use crate::state::Api;

/// A billion dollars: more is a slip, and would overflow sums.
const MOST_USD: f64 = 1e9;
/// Likewise for tokens.
const MOST_TOKENS: u64 = 1 << 53;

/// The problem of a name or id that is not there.
pub(crate) fn unknown(which: &str) -> ApiError {
    ApiError::new(UNKNOWN_BUDGET, format!("There is no budget `{which}`: look at GET /api/v1/budgets."))
}

/// Bounds as limits; `at` is where they stand in the body.
pub(crate) fn limits(at: &str, bounds: BudgetBounds) -> ApiResult<BudgetLimits> {
    let BudgetBounds { max_tokens, max_cost_usd } = bounds;
    if max_tokens.is_none() && max_cost_usd.is_none() {
        return Err(ApiError::invalid(format!("{at}max_tokens"), "say `max_tokens`, `max_cost_usd` or both"));
    }
    if max_tokens.is_some_and(|tokens| tokens > MOST_TOKENS) {
        return Err(ApiError::invalid(format!("{at}max_tokens"), format!("must be at most {MOST_TOKENS}")));
    }
    if max_cost_usd.is_some_and(|usd| !(0.0..=MOST_USD).contains(&usd)) {
        let message = "must be a number of dollars from 0 to a billion";
        return Err(ApiError::invalid(format!("{at}max_cost_usd"), message));
    }
    Ok(BudgetLimits { max_tokens, max_cost: max_cost_usd.map(NanoUsd::from_usd) })
}

impl Api {
    /// A budget, or the problem that there is none.
    pub async fn budget(&self, tenant: TenantId, which: &str) -> ApiResult<BudgetRow> {
        self.store.budget(tenant, BudgetSelector::from(which)).await?.ok_or_else(|| unknown(which))
    }

    /// Stores the budget of a task that is about to be created: it is there before anybody can run the task.
    pub async fn bound_task(&self, who: Principal, task: TaskId, limits: BudgetLimits) -> ApiResult<()> {
        let new = NewBudget {
            id: BudgetId(task.0),
            tenant: who.tenant,
            name: None,
            scope: BudgetScope::Task(task),
            period: BudgetPeriod::Total,
            limits,
            created_by: Some(who.user),
        };
        match self.store.create_budget(new).await? {
            CreateBudget::Stored(_) => Ok(()),
            other => Err(ApiError::internal(format!("the budget of a new task was not stored: {other:?}"))),
        }
    }

    /// Removes the budget of a task that was not created after all. One that stays binds nobody.
    pub async fn unbound_task(&self, tenant: TenantId, task: TaskId) {
        let which = BudgetSelector::Id(BudgetId(task.0));
        if let Err(error) = self.store.delete_budget(tenant, which).await {
            tracing::warn!(%task, %error, "the budget of a task that was not created is left over");
        }
    }
}
