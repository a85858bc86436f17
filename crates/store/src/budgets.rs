//! Budgets: bounds on what tasks may spend together, and the workers' slices of them.
//!
//! A worker holds a slice of each budget that pays for its tasks: so much is granted to it, so much of that was spent
//! by entries that it committed. It reserves out of the slice in its memory, so that a budget's row is not written by
//! every call. What a slice has spent is raised with the appends that spend it; so whenever a worker dies, what was
//! granted and not spent goes back, and nothing that was spent is forgotten.

use async_trait::async_trait;
use uuid::Uuid;

use agenticai_domain::budget::{Amount, BudgetLimits, BudgetPeriod, BudgetScope};
use agenticai_domain::ids::{AgentId, BudgetId, TaskId, TenantId, UserId};
use agenticai_domain::usage::NanoUsd;

use crate::{Page, Result, StoreError, WorkerId};

/// How a caller names a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetSelector {
    /// By id. The budget of a task has the task's id.
    Id(BudgetId),
    /// By its name in the tenant.
    Name(String),
}

impl From<&str> for BudgetSelector {
    /// A text that is a UUID is an id, any other a name.
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
    }
}

/// A budget to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBudget {
    /// Chosen by the caller: sent again, it is the same budget.
    pub id: BudgetId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Unique in the tenant; that of a task has none.
    pub name: Option<String>,
    /// Whose tasks it pays for.
    pub scope: BudgetScope,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// Its bounds.
    pub limits: BudgetLimits,
    /// Who makes it.
    pub created_by: Option<UserId>,
}

/// A budget as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRow {
    /// The budget.
    pub id: BudgetId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Unique in the tenant; that of a task has none.
    pub name: Option<String>,
    /// Whose tasks it pays for.
    pub scope: BudgetScope,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// Its bounds.
    pub limits: BudgetLimits,
    /// When the period began that the sums belong to, milliseconds since 1970. It may be over.
    pub period_start: i64,
    /// Spent by committed entries.
    pub spent: Amount,
    /// Granted to workers and not spent.
    pub reserved: Amount,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// What came of [`Budgets::create_budget`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateBudget {
    /// It is stored, and stands so.
    Stored(Box<BudgetRow>),
    /// Another budget has the name.
    NameTaken,
    /// The tenant has no such agent or user.
    NoSubject,
}

/// A budget that pays for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payer {
    /// The budget.
    pub id: BudgetId,
    /// For people: its name, or that it is the task's own.
    pub name: String,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// Its bounds.
    pub limits: BudgetLimits,
}

/// A worker's wish for more of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawRequest {
    /// The budget.
    pub budget: BudgetId,
    /// When the period began that it is spent in, milliseconds since 1970.
    pub period_start: i64,
    /// At least so much.
    pub need: Amount,
    /// And so much where there is plenty: less the nearer the limit is.
    pub want: Amount,
    /// It is spent already: it is granted whatever the limit says.
    pub spent_already: bool,
}

/// What came of [`Budgets::draw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// The worker's slice is so large now, all that it has spent included.
    Granted(Amount),
    /// It does not fit.
    Short {
        /// Whether workers hold parts of the budget that they have not spent: some of it may come back.
        open: bool,
        /// Spent by committed entries.
        spent: Amount,
        /// The bounds.
        limits: BudgetLimits,
    },
    /// The budget is in this later period already.
    Later(i64),
    /// The budget is gone: it binds nobody any more.
    Gone,
    /// The worker is dead.
    Fenced,
}

/// What a worker keeps of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The budget.
    pub budget: BudgetId,
    /// The slice's period.
    pub period_start: i64,
    /// So much of it, all that it has spent included.
    pub amount: Amount,
}

/// A part of a run's spend that a budget pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The budget.
    pub budget: BudgetId,
    /// The period of the slice that it is taken from.
    pub period_start: i64,
    /// How much.
    pub amount: Amount,
}

/// Budgets.
#[async_trait]
pub trait Budgets {
    /// Stores a budget.
    async fn create_budget(&self, new: NewBudget) -> Result<CreateBudget>;
    /// A budget of a tenant.
    async fn budget(&self, tenant: TenantId, which: BudgetSelector) -> Result<Option<BudgetRow>>;
    /// Those with names, by name. `cursor` comes from the page before.
    async fn list_budgets(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<BudgetRow>>;
    /// Sets the bounds anew; `false` where there is no such budget.
    async fn limit_budget(
        &self,
        tenant: TenantId,
        which: BudgetSelector,
        limits: BudgetLimits,
    ) -> Result<bool>;
    /// Removes a budget; `false` where there is none.
    async fn delete_budget(&self, tenant: TenantId, which: BudgetSelector) -> Result<bool>;
    /// Tenants that have budgets.
    async fn budgeted_tenants(&self) -> Result<Vec<TenantId>>;
    /// The budgets that pay for a task: its own and its agent's, those of the tasks above it, its user's and its
    /// tenant's. In the order of their ids.
    async fn payers(&self, tenant: TenantId, task: TaskId) -> Result<Vec<Payer>>;
    /// Makes a live worker's slice larger. Sent again after an answer was lost, it may grant twice; the answer says
    /// how large the slice is in all, and what is too much is given back with [`Budgets::give_back`].
    async fn draw(&self, worker: WorkerId, request: DrawRequest) -> Result<Draw>;
    /// Makes slices smaller; never smaller than what they have spent.
    async fn give_back(&self, worker: WorkerId, keep: Vec<Keep>) -> Result<()>;
}

/// `budgets.scope` and `budgets.subject`.
pub(crate) fn scope_numbers(scope: BudgetScope, tenant: TenantId) -> (i16, Uuid) {
    match scope {
        BudgetScope::Tenant => (0, tenant.0),
        BudgetScope::Agent(agent) => (1, agent.0),
        BudgetScope::User(user) => (2, user.0),
        BudgetScope::Task(task) => (3, task.0),
    }
}

/// The scope of two columns.
pub(crate) fn scope_of(number: i16, subject: Uuid) -> Result<BudgetScope> {
    Ok(match number {
        0 => BudgetScope::Tenant,
        1 => BudgetScope::Agent(AgentId(subject)),
        2 => BudgetScope::User(UserId(subject)),
        3 => BudgetScope::Task(TaskId(subject)),
        other => return Err(StoreError::Unreadable(format!("{other} is no scope of a budget"))),
    })
}

/// `budgets.period`.
pub(crate) fn period_number(period: BudgetPeriod) -> i16 {
    match period {
        BudgetPeriod::Total => 0,
        BudgetPeriod::Day => 1,
        BudgetPeriod::Month => 2,
    }
}

/// The period of a column.
pub(crate) fn period_of(number: i16) -> Result<BudgetPeriod> {
    let found = BudgetPeriod::ALL.into_iter().find(|period| period_number(*period) == number);
    found.ok_or_else(|| StoreError::Unreadable(format!("{number} is no period of a budget")))
}

/// `budgets.max_tokens` and `budgets.max_cost`.
pub(crate) fn limit_columns(limits: BudgetLimits) -> Result<(Option<i64>, Option<i64>)> {
    Ok((limits.max_tokens.map(tokens_column).transpose()?, limits.max_cost.map(|cost| cost.0)))
}

/// The bounds of two columns; negative ones were never written.
pub(crate) fn limits_of(max_tokens: Option<i64>, max_cost: Option<i64>) -> BudgetLimits {
    BudgetLimits { max_tokens: max_tokens.map(i64::unsigned_abs), max_cost: max_cost.map(NanoUsd) }
}

/// Tokens as a column.
pub(crate) fn tokens_column(tokens: u64) -> Result<i64> {
    i64::try_from(tokens).map_err(|_| StoreError::Refused(format!("{tokens} tokens are out of range")))
}
