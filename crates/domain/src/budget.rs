//! Budgets: bounds on what tasks may spend together.
//!
//! Before a model is called, the most that the call can cost is reserved in every budget that pays for its task; what
//! it did cost takes the reservation's place with the entry that says so. A budget is therefore never exceeded by
//! calls that run at the same time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AgentId, TaskId, UserId};
use crate::usage::{NanoUsd, Spend};

/// Tokens and money. Parts are never negative; sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Tokens read and written.
    pub tokens: u64,
    /// What they cost.
    pub cost: NanoUsd,
}

impl Amount {
    /// Part by part.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(more.tokens),
            cost: NanoUsd(self.cost.0.saturating_add(more.cost.0)),
        }
    }

    /// Part by part; 0 where the other is larger.
    #[must_use]
    pub fn minus(self, less: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(less.tokens),
            cost: NanoUsd(self.cost.0.saturating_sub(less.cost.0).max(0)),
        }
    }

    /// Both parts so many times.
    #[must_use]
    pub fn times(self, n: u32) -> Self {
        Self {
            tokens: self.tokens.saturating_mul(u64::from(n)),
            cost: NanoUsd(self.cost.0.saturating_mul(i64::from(n))),
        }
    }

    /// Whether both parts of the other are at most those of this one.
    pub fn covers(self, other: Self) -> bool {
        other.tokens <= self.tokens && other.cost <= self.cost
    }

    /// Whether there is nothing of either.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl From<Spend> for Amount {
    /// A cost that is unknown counts as none.
    fn from(spend: Spend) -> Self {
        Self { tokens: spend.usage.total(), cost: spend.cost.unwrap_or_default() }
    }
}

/// The bounds of a budget. A part without a bound is counted all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Tokens read and written.
    pub max_tokens: Option<u64>,
    /// What they may cost.
    pub max_cost: Option<NanoUsd>,
}

/// Whose tasks a budget pays for. A child is paid for by the budgets of its parent too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BudgetScope {
    /// All tasks of the tenant.
    Tenant,
    /// Tasks of an agent, in any version.
    Agent(AgentId),
    /// Tasks that a user created.
    User(UserId),
    /// One task.
    Task(TaskId),
}

/// How often a budget begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// Never.
    #[default]
    Total,
    /// Every day at midnight, UTC.
    Day,
    /// On the first of every month at midnight, UTC.
    Month,
}

impl BudgetPeriod {
    /// Every period.
    pub const ALL: [Self; 3] = [Self::Total, Self::Day, Self::Month];

    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// When the period of a time began. Milliseconds since 1970, both; 0 for the one that never ends.
    pub fn start_of(self, at: i64) -> i64 {
        self.first_day(at).and_then(midnight).unwrap_or(0)
    }

    /// When the period of a time ends, if it does.
    pub fn end_of(self, at: i64) -> Option<i64> {
        let length = match self {
            Self::Total => return None,
            Self::Day => Span::new().days(1),
            Self::Month => Span::new().months(1),
        };
        midnight(self.first_day(at)?.checked_add(length).ok()?)
    }

    fn first_day(self, at: i64) -> Option<Date> {
        let day = Timestamp::from_millisecond(at).ok()?.to_zoned_datetime(TimeZone::UTC).date();
        match self {
            Self::Total => None,
            Self::Day => Some(day),
            Self::Month => Some(day.first_of_month()),
        }
    }
}

fn midnight(day: Date) -> Option<i64> {
    Some(TimeZone::UTC.to_timestamp(day.into()).ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn periods_begin_and_end_at_midnight() {
        let at = ms("2028-02-29T23:59:59.999Z");
        assert_eq!(BudgetPeriod::Day.start_of(at), ms("2028-02-29T00:00:00Z"));
        assert_eq!(BudgetPeriod::Day.end_of(at), Some(ms("2028-03-01T00:00:00Z")));
        assert_eq!(BudgetPeriod::Month.start_of(at), ms("2028-02-01T00:00:00Z"));
        assert_eq!(BudgetPeriod::Month.end_of(at), Some(at + 1));
        assert_eq!(BudgetPeriod::Month.start_of(at + 1), at + 1);
        assert_eq!(BudgetPeriod::Month.end_of(ms("2027-12-31T00:00:00Z")), Some(ms("2028-01-01T00:00:00Z")));
        assert_eq!((BudgetPeriod::Total.start_of(at), BudgetPeriod::Total.end_of(at)), (0, None));
    }

    #[test]
    fn amounts_neither_wrap_nor_fall_below_nothing() {
        let amount = |tokens, cost| Amount { tokens, cost: NanoUsd(cost) };
        assert_eq!(amount(5, 5).minus(amount(7, 1)), amount(0, 4));
        assert_eq!(amount(u64::MAX, 1).plus(amount(1, i64::MAX)), amount(u64::MAX, i64::MAX));
        assert!(amount(5, 5).covers(amount(5, 5)) && !amount(5, 5).covers(amount(1, 6)));
    }
}
