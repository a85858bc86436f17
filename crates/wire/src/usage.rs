//! Usage on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use agenticai_domain::ids::{AgentId, UserId};

/// What tasks have consumed that ended in a span of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageSumView {
    /// RFC 3339: when its hour or day began, where sums are told apart by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The agent's name, where sums are told apart by agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The agent's id, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// Who created the tasks, where sums are told apart by users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Tasks that were completed.
    pub completed: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that were cancelled.
    pub cancelled: u64,
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    /// Of the tokens read, those that the provider had cached.
    pub cached_tokens: u64,
    /// Of the tokens written, those of hidden reasoning.
    pub reasoning_tokens: u64,
    /// US dollars, of the tasks whose cost is known.
    pub cost_usd: f64,
    /// Tasks whose cost is unknown.
    pub unpriced: u64,
}

/// `GET /api/v1/usage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageReport {
    /// RFC 3339: the first hour that counts.
    pub from: String,
    /// RFC 3339: the first hour that does not count any more.
    pub until: String,
    /// The sums, in the order of time, agent and user.
    pub items: Vec<UsageSumView>,
}
