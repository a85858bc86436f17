//! Budgets as answers.

use agenticai_domain::budget::{Amount, BudgetScope};
use agenticai_store::BudgetRow;
use agenticai_wire::{AmountView, BudgetScopeView, BudgetView};

use crate::tasks::view::rfc3339;

/// A budget as it stands at a time. One whose period is over has spent nothing in the present one.
pub(crate) fn budget_view(row: &BudgetRow, now: i64) -> BudgetView {
    let period_start = row.period.start_of(now).max(row.period_start);
    let over = period_start > row.period_start;
    let (spent, reserved) = if over { Default::default() } else { (row.spent, row.reserved) };
    let ends_at = row.period.end_of(period_start);
    BudgetView {
        id: row.id,
        name: row.name.clone(),
        scope: match row.scope {
            BudgetScope::Tenant => BudgetScopeView::Tenant,
            BudgetScope::Agent(agent) => BudgetScopeView::Agent { agent },
            BudgetScope::User(user) => BudgetScopeView::User { user },
            BudgetScope::Task(task) => BudgetScopeView::Task { task },
        },
        period: row.period,
        max_tokens: row.limits.max_tokens,
        max_cost_usd: row.limits.max_cost.map(|cost| cost.as_usd()),
        spent: amount_view(spent),
        reserved: amount_view(reserved),
        period_started_at: ends_at.map(|_| rfc3339(period_start)),
        resets_at: ends_at.map(rfc3339),
        created_at: rfc3339(row.created_at),
    }
}

fn amount_view(amount: Amount) -> AmountView {
    AmountView { tokens: amount.tokens, cost_usd: amount.cost.as_usd() }
}
