//! The most that a call can consume, known before it is sent: what budgets reserve.

use agenticai_domain::budget::Amount;
use agenticai_domain::spec::ModelRef;
use agenticai_domain::usage::{Spend, Usage};

use super::Inner;
use super::price::Counted;
use super::request::Request;
use super::resolve::Served;

/// Output tokens that are reserved where the model's `max_output_tokens` is not set. To providers of Anthropic's dialect
/// this bound is told; others may write more, which is counted all the same.
pub const ASSUMED_OUTPUT_TOKENS: u32 = 8192;

/// What a call consumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// At most. No tokenizer makes more tokens of a text than it has bytes.
    pub most: Amount,
    /// Of these, tokens read.
    pub input_tokens: u64,
    /// Whether the price is known; where it is not, `most` has no cost.
    pub priced: bool,
    /// By rule of thumb, where nobody waits for the answer: what was read.
    pub cut_off: Spend,
}

pub(super) fn bound(inner: &Inner, served: &Served, request: &Request, model: &ModelRef) -> Bound {
    let bytes = request.body.len() as u64;
    let output_tokens = u64::from(model.max_output_tokens.unwrap_or(ASSUMED_OUTPUT_TOKENS));
    let cost = |counted: &Counted| inner.prices.cost(&served.provider, &served.model, counted);
    let usage = Usage { input_tokens: bytes, output_tokens, ..Usage::default() };
    let plain = cost(&Counted { usage, cache_write_tokens: 0 });
    // Some providers take more for what they put into their cache.
    let cached = cost(&Counted { usage, cache_write_tokens: bytes });
    let most = Amount { tokens: usage.total(), cost: plain.max(cached).unwrap_or_default() };
    let read = Usage { input_tokens: bytes.div_ceil(4), ..Usage::default() };
    let cut_off = Spend { usage: read, cost: cost(&Counted { usage: read, cache_write_tokens: 0 }) };
    Bound { most, input_tokens: bytes, priced: plain.is_some(), cut_off }
}
