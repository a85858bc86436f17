//! The agent itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Limits, ModelRef, ToolDef, ToolSpec};
use crate::ids::{AgentId, TenantId};

/// How an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Model, tools, model, … until a final answer or a limit.
    #[default]
    React,
    /// One tool with the task's input as its arguments and no model: a durable job.
    Tool,
}

/// An agent as its author writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Unique in the tenant: 1 to 63 characters of `a-z`, `0-9`, `-` and `_`, the first one a letter or digit.
    pub name: String,
    /// How it works.
    #[serde(default)]
    pub kind: AgentKind,
    /// For people, and for agents that call this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The model that it talks to; absent only in agents of kind `tool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// The system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// What the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Demands an answer of a given shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputSpec>,
    /// Where it has to stop.
    #[serde(default)]
    pub limits: Limits,
}

/// Structured output: the final answer must be JSON that the schema accepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// A JSON Schema (2020-12 unless its `$schema` says otherwise) for the answer.
    pub schema: Value,
    /// How often the model is told what was wrong and asked again before the task fails.
    #[serde(default = "two")]
    pub max_repairs: u32,
}

fn two() -> u32 {
    2
}

/// An immutable version of an agent, with its tools resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentVersion {
    /// The agent that this is a version of.
    pub id: AgentId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Counted from 1.
    pub version: u32,
    /// As written, shorthands spelled out.
    pub spec: AgentSpec,
    /// Every tool as it was when the version was made; what an MCP server listed then is frozen here.
    pub tools: Vec<ToolDef>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}
