//! Budgets on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use agenticai_domain::budget::BudgetPeriod;
use agenticai_domain::ids::{AgentId, BudgetId, TaskId, UserId};

/// Bounds on what may be spent; at least one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetBounds {
    /// Input and output tokens of all model calls together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Their cost in US dollars. Models whose price is unknown cannot be called under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
}

/// Asks for a budget. `POST /api/v1/budgets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetRequest {
    /// Unique in the tenant: 1 to 63 of a-z, 0-9, `-` and `_`.
    pub name: String,
    /// Name or id of the agent whose tasks it pays for; absent, with `user` absent too: those of all agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The user whose tasks it pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How often it begins anew; absent: `total`, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<BudgetPeriod>,
    /// As in [`BudgetBounds`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// As in [`BudgetBounds`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
}

/// Whose tasks a budget pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BudgetScopeView {
    /// All tasks of the tenant.
    Tenant,
    /// Tasks of an agent, and tasks that these call.
    Agent {
        /// The agent.
        agent: AgentId,
    },
    /// Tasks that a user created, and tasks that these call.
    User {
        /// The user.
        user: UserId,
    },
    /// One task, and tasks that it calls.
    Task {
        /// The task.
        task: TaskId,
    },
}

/// Tokens and money.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AmountView {
    /// Tokens read and written.
    pub tokens: u64,
    /// US dollars.
    pub cost_usd: f64,
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetView {
    /// Its id; that of a task's own budget is the task's.
    pub id: BudgetId,
    /// Its name; `null` for a task's own.
    pub name: Option<String>,
    /// Whose tasks it pays for.
    pub scope: BudgetScopeView,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// Input and output tokens at most; `null`: no bound.
    pub max_tokens: Option<u64>,
    /// Their cost in US dollars at most; `null`: no bound.
    pub max_cost_usd: Option<f64>,
    /// Spent in this period.
    pub spent: AmountView,
    /// Held by workers for model calls under way and to come; what is not spent comes back.
    pub reserved: AmountView,
    /// RFC 3339: when this period began; `null` where there is but one.
    pub period_started_at: Option<String>,
    /// RFC 3339: when the next period begins; `null` where there is none.
    pub resets_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// A page of budgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetPage {
    /// The budgets, by name.
    pub items: Vec<BudgetView>,
    /// Pass it as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}
