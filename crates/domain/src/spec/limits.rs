//! Where an agent has to stop.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Bounds on one task. A task that reaches one fails with the code `limit_exceeded` and keeps what it journaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Model calls and tool calls together.
    pub max_steps: u32,
    /// Input and output tokens of all model calls together; absent: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Cost of all model calls together in US dollars; refused where a price is unknown. Absent: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
    /// From creation to the end, waiting included; a task may ask for less. Absent: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_steps: 50, max_tokens: None, max_cost_usd: None, timeout_seconds: None }
    }
}
