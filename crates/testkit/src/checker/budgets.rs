//! The rule that budgets add up: what is spent is what the entries say, and at rest nothing is reserved.

use agenticai_domain::journal::{Entry, Recorded};
use agenticai_domain::usage::Spend;

use super::{Evidence, Report, Rule};

/// The budget of a whole tenant that was there before the first task, when everything rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its bound in tokens.
    pub max_tokens: u64,
    /// Tokens that it says were spent.
    pub spent_tokens: u64,
    /// Tokens that workers still hold.
    pub reserved_tokens: u64,
}

/// Compares the account with the sum over all entries.
pub fn check(evidence: &Evidence, report: &mut Report) {
    let Some(account) = evidence.account else { return };
    let entries: u64 = evidence.tasks.iter().flat_map(|task| &task.journal).map(tokens).sum();
    report.counts.tokens = entries;
    let Account { max_tokens, spent_tokens, reserved_tokens } = account;
    if spent_tokens != entries {
        let detail = format!("{spent_tokens} tokens are charged, and the entries say {entries}");
        report.broken(Rule::BudgetsAddUp, "-", detail);
    }
    if reserved_tokens > 0 {
        report.broken(Rule::BudgetsAddUp, "-", format!("{reserved_tokens} tokens stay reserved at rest"));
    }
    if spent_tokens > max_tokens {
        report.broken(Rule::BudgetsAddUp, "-", format!("{spent_tokens} of {max_tokens} tokens are spent"));
    }
}

/// Tokens of the entry's own call; a child's are in its own journal.
fn tokens(recorded: &Recorded) -> u64 {
    let spend: Spend = match &recorded.entry {
        Entry::Turn(turn) => turn.spend,
        Entry::TurnCut(cut) => cut.spend,
        _ => return 0,
    };
    spend.usage.total()
}
