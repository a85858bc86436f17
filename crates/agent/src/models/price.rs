//! What tokens cost.
//!
//! The built-in table (`prices.json`) holds public list prices as of its date; rows of the configuration go before
//! it. A model without a row has no known price, and its cost is unknown rather than 0.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use agenticai_domain::usage::{NanoUsd, Usage};

use super::config::ModelsError;

/// A price list with its date.
#[derive(Debug, Clone, Deserialize)]
pub struct PriceTable {
    /// The day of the list, as `YYYY-MM-DD`.
    pub version: String,
    /// Where it comes from.
    pub source: String,
    /// The prices.
    pub prices: Vec<PriceRow>,
}

/// What one model of one provider costs, in US dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRow {
    /// The configured provider; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model as the provider knows it, without a trailing date; `*` is any.
    pub model: String,
    /// Tokens read.
    pub input: f64,
    /// Tokens read that the provider had cached; absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Tokens read that the provider put into its cache; absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Tokens written.
    pub output: f64,
    /// The row holds for calls that read at most so many tokens; absent: for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_input_tokens: Option<u64>,
}

static BUILT_IN: LazyLock<PriceTable> = LazyLock::new(|| {
    // A test reads the file, so an unreadable one is never shipped; if it were, every price would be unknown.
    serde_json::from_str(include_str!("prices.json")).unwrap_or_else(|why| PriceTable {
        version: "none".to_owned(),
        source: why.to_string(),
        prices: Vec::new(),
    })
});

impl PriceTable {
    /// The built-in table.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }
}

/// Tokens of one answer, with what only its price depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub usage: Usage,
    /// Of the tokens read, those that were put into the provider's cache.
    pub cache_write_tokens: u64,
}

/// Prices of the configuration before the built-in ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices {
    own: Vec<PriceRow>,
}

impl Prices {
    pub(super) fn new(own: Vec<PriceRow>) -> Result<Self, ModelsError> {
        let amount = |usd: f64| usd.is_finite() && usd >= 0.0;
        for row in &own {
            let rates = [Some(row.input), row.cached_input, row.cache_write, Some(row.output)];
            if !rates.into_iter().flatten().all(amount) {
                return Err(ModelsError::Price(row.model.clone()));
            }
        }
        Ok(Self { own })
    }

    /// Whether the model has a price at all.
    pub(super) fn knows(&self, provider: &str, model: &str) -> bool {
        self.find(provider, model, 0).is_some()
    }

    /// The cost of one answer, rounded to the nearest billionth of a dollar.
    pub(super) fn cost(&self, provider: &str, model: &str, counted: &Counted) -> Option<NanoUsd> {
        let Usage { input_tokens, output_tokens, cached_tokens, .. } = counted.usage;
        let row = self.find(provider, model, input_tokens)?;
        let cached = cached_tokens.min(input_tokens);
        let written = counted.cache_write_tokens.min(input_tokens - cached);
        let plain = input_tokens - cached - written;
        // Per million tokens, a price in billionths is a whole number: sums are exact until the one division.
        let part = |tokens: u64, usd: f64| i128::from(tokens) * i128::from(NanoUsd::from_usd(usd).0);
        let sum = part(plain, row.input)
            + part(cached, row.cached_input.unwrap_or(row.input))
            + part(written, row.cache_write.unwrap_or(row.input))
            + part(output_tokens, row.output);
        Some(NanoUsd(i64::try_from((sum + 500_000) / 1_000_000).unwrap_or(i64::MAX)))
    }

    fn find(&self, provider: &str, model: &str, input_tokens: u64) -> Option<&PriceRow> {
        let base = undated(model);
        [self.own.as_slice(), PriceTable::built_in().prices.as_slice()].into_iter().find_map(|rows| {
            [model, base, "*"].into_iter().find_map(|name| {
                rows.iter()
                    .filter(|row| row.model == name && row.provider.as_deref().is_none_or(|p| p == provider))
                    .filter(|row| row.up_to_input_tokens.is_none_or(|bound| input_tokens <= bound))
                    .min_by_key(|row| row.up_to_input_tokens.unwrap_or(u64::MAX))
            })
        })
    }
}

/// A model's name without the date or `-latest` at its end: both vendors price a model by the name before it.
fn undated(model: &str) -> &str {
    if let Some(base) = model.strip_suffix("-latest") {
        return base;
    }
    for (form, len) in [("-dddd-dd-dd", 11), ("-dddddddd", 9)] {
        let Some((base, tail)) = model.len().checked_sub(len).and_then(|at| model.split_at_checked(at))
        else {
            continue;
        };
        let fits =
            tail.bytes().zip(form.bytes()).all(|(c, f)| if f == b'd' { c.is_ascii_digit() } else { c == f });
        if fits {
            return base;
        }
    }
    model
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn counted(input: u64, cached: u64, written: u64, output: u64) -> Counted {
        let usage =
            Usage { input_tokens: input, output_tokens: output, cached_tokens: cached, reasoning_tokens: 0 };
        Counted { usage, cache_write_tokens: written }
    }

    #[test]
    fn the_built_in_table_reads_and_is_dated() {
        let table: PriceTable = serde_json::from_str(include_str!("prices.json")).unwrap();
        assert_eq!(table.version.len(), 10, "{}", table.version);
        assert!(table.prices.len() > 20);
        assert!(Prices::new(table.prices).is_ok());
    }

    #[test]
    fn cached_written_and_plain_tokens_have_their_own_prices() {
        let own = PriceRow {
            provider: Some("p".into()),
            model: "m".into(),
            input: 3.0,
            cached_input: Some(0.3),
            cache_write: Some(3.75),
            output: 15.0,
            up_to_input_tokens: None,
        };
        let prices = Prices::new(vec![own]).unwrap();
        // 700 plain, 200 cached, 100 written, 50 out: 2100 + 60 + 375 + 750 millionths of a dollar.
        assert_eq!(prices.cost("p", "m", &counted(1000, 200, 100, 50)), Some(NanoUsd(3_285_000)));
        assert_eq!(prices.cost("q", "m", &counted(1000, 200, 100, 50)), None);
    }

    #[test]
    fn dates_are_ignored_and_own_rows_go_first() {
        let prices = Prices::default();
        let one = counted(1_000_000, 0, 0, 0);
        assert_eq!(prices.cost("openai", "gpt-5-mini", &one), Some(NanoUsd(250_000_000)));
        assert_eq!(prices.cost("openai", "gpt-5-mini-2025-08-07", &one), Some(NanoUsd(250_000_000)));
        assert_eq!(prices.cost("anthropic", "claude-haiku-4-5-20251001", &one), Some(NanoUsd(1_000_000_000)));
        assert_eq!(prices.cost("openai", "gpt-5-minimal", &one), None);
        assert_eq!(
            prices.cost("compatible", "gpt-5-mini", &one),
            None,
            "somebody else's server, somebody else's price"
        );
        assert_eq!(prices.cost("practice", "practice", &one), Some(NanoUsd(0)));
        let own: PriceRow = serde_json::from_str(r#"{"model":"gpt-5-mini","input":1,"output":2}"#).unwrap();
        let prices = Prices::new(vec![own]).unwrap();
        assert_eq!(prices.cost("openai", "gpt-5-mini", &one), Some(NanoUsd(1_000_000_000)));
        assert_eq!(prices.cost("compatible", "gpt-5-mini", &one), Some(NanoUsd(1_000_000_000)));
    }

    #[test]
    fn long_prompts_have_their_own_row() {
        let prices = Prices::default();
        let short = prices.cost("openai", "gpt-5.4", &counted(272_000, 0, 0, 0)).unwrap();
        let long = prices.cost("openai", "gpt-5.4", &counted(272_001, 0, 0, 0)).unwrap();
        assert_eq!(short, NanoUsd(272_000 * 2_500));
        assert_eq!(long, NanoUsd(272_001 * 5_000));
    }

    #[test]
    fn a_negative_price_is_refused() {
        let row: PriceRow = serde_json::from_str(r#"{"model":"m","input":-1,"output":2}"#).unwrap();
        assert!(Prices::new(vec![row]).is_err());
    }
}
