//! Tokens and money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// US dollars in billionths, so that sums are exact. A price of $0.05 per million tokens is 50 of these per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// As dollars, for people and JSON.
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// From dollars, rounded; saturates.
    pub fn from_usd(usd: f64) -> Self {
        Self((usd * 1e9).round() as i64)
    }
}

/// What calls consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    /// Of the tokens read, those that the provider had cached.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Of the tokens written, those of hidden reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Usage {
    /// Tokens read and written.
    pub fn total(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        self.input_tokens = self.input_tokens.saturating_add(more.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(more.output_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(more.cached_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(more.reasoning_tokens);
    }
}

/// Usage with its price: the sum over a task or the part of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// Tokens.
    #[serde(flatten)]
    pub usage: Usage,
    /// Their cost; `None` as soon as one part has no known price.
    pub cost: Option<NanoUsd>,
}

impl Default for Spend {
    fn default() -> Self {
        Self { usage: Usage::default(), cost: Some(NanoUsd(0)) }
    }
}

impl std::ops::AddAssign for Spend {
    fn add_assign(&mut self, more: Self) {
        self.usage += more.usage;
        self.cost = match (self.cost, more.cost) {
            (Some(a), Some(b)) => Some(NanoUsd(a.0.saturating_add(b.0))),
            _ => None,
        };
    }
}
