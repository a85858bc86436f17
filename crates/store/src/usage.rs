//! What tenants have consumed, summed up by hours.
//!
//! A task counts whole, in the hour of its end. What a task has consumed includes the tasks that it called: these count
//! as tasks, and their tokens and cost once, with the task that called them, its agent and its user. A called task that
//! outlived its caller is counted by itself.

use async_trait::async_trait;

use agenticai_domain::ids::{AgentId, TenantId, UserId};
use agenticai_domain::usage::Spend;

use crate::Result;

/// An hour in milliseconds.
pub const HOUR_MS: i64 = 3_600_000;

/// How sums are told apart; with nothing of it there is one sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageBy {
    /// By spans of time of so many milliseconds from 1970 on: a multiple of [`HOUR_MS`].
    pub span_ms: Option<i64>,
    /// By agents.
    pub agent: bool,
    /// By the users that created the tasks.
    pub user: bool,
}

/// A sum over tasks that have ended.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSum {
    /// When the span began, milliseconds since 1970.
    pub from: Option<i64>,
    /// The agent and its name.
    pub agent: Option<(AgentId, String)>,
    /// The user; also `None` for tasks that nobody created.
    pub user: Option<UserId>,
    /// Tasks that were completed.
    pub completed: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that were cancelled.
    pub cancelled: u64,
    /// Tokens, and the cost of the tasks whose cost is known.
    pub spend: Spend,
    /// Tasks whose cost is unknown.
    pub unpriced: u64,
}

/// Usage.
#[async_trait]
pub trait Usages {
    /// Sums over tasks that ended from `from` until before `until` (milliseconds since 1970; whole hours), at most
    /// `limit` of them, in the order of time, agent and user.
    async fn usage(
        &self,
        tenant: TenantId,
        from: i64,
        until: i64,
        by: UsageBy,
        limit: u32,
    ) -> Result<Vec<UsageSum>>;
    /// Looks at up to `limit` tasks and adds those to the sums that have ended. Where the answer is half of `limit` or
    /// more, there is more to look at. A store that sums up when it is asked has nothing to do.
    async fn roll_up_usage(&self, limit: u32) -> Result<u32>;
}
