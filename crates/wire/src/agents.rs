//! Agents on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use agenticai_domain::ids::AgentId;
use agenticai_domain::spec::{AgentSpec, Approval, Effect};

/// An agent version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    /// The agent.
    pub id: AgentId,
    /// Counted from 1.
    pub version: u32,
    /// As written, shorthands spelled out.
    #[serde(flatten)]
    pub spec: AgentSpec,
    /// Every tool that the model is offered, as resolved when the version was made.
    pub resolved_tools: Vec<ToolView>,
    /// RFC 3339.
    pub created_at: String,
}

/// A tool as resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolView {
    /// What the model calls it.
    pub name: String,
    /// Told to the model.
    pub description: String,
    /// What repeating a call does.
    pub effect: Effect,
    /// Whether a person has to agree.
    pub approval: Approval,
    /// `builtin`, `http` or `mcp`.
    pub source: String,
}

/// A page of agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentPage {
    /// The agents.
    pub items: Vec<AgentView>,
    /// Pass it as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}
