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
    /// What its owner should know: a model that is served by something else than its own provider, an unknown price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_view_reads_back_although_its_specification_is_flattened() {
        let json = serde_json::json!({
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "version": 3, "name": "researcher", "kind": "react",
            "model": "gpt-5-mini", "tools": ["calculator"], "limits": {"max_steps": 7},
            "resolved_tools": [], "created_at": "2026-01-01T00:00:00Z"
        });
        let view: AgentView = serde_json::from_value(json).unwrap();
        assert_eq!((view.spec.name.as_str(), view.spec.limits.max_steps), ("researcher", 7));
        let again: AgentView = serde_json::from_str(&serde_json::to_string(&view).unwrap()).unwrap();
        assert_eq!(view, again);
    }
}
