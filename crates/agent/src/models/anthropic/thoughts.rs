//! What a model thought before and between its words and calls.
//!
//! The vendor signs these blocks and wants them back in the next request as they were and where they stood: a
//! conversation in which one was changed or moved is refused for good. The journal keeps them with the answer, as the
//! list of its thoughts; its words and calls stand beside them, so each thought says how much of those precedes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A block and its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Thought {
    /// Bytes of the answer's words between the thought before this one, or the beginning, and this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub text_before: usize,
    /// Its calls there, likewise.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls_before: usize,
    #[serde(flatten)]
    pub block: ThoughtBlock,
}

/// A block as the vendor writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ThoughtBlock {
    /// Words may be left out by the vendor; the signature stands for them.
    Thinking { thinking: String, signature: String },
    /// Encrypted as a whole.
    RedactedThinking { data: String },
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// As the journal keeps them.
pub(super) fn keep<'a>(thoughts: impl Iterator<Item = &'a Thought>) -> Option<Value> {
    let kept: Vec<Value> = thoughts.filter_map(|thought| serde_json::to_value(thought).ok()).collect();
    (!kept.is_empty()).then_some(Value::Array(kept))
}

/// The thoughts of an answer. What a provider of another dialect wanted to see again is none.
pub(super) fn recall(opaque: Option<&Value>) -> Vec<Thought> {
    opaque.and_then(|kept| Vec::deserialize(kept).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_reads_as_the_vendor_wrote_it() {
        let kept = json!([
            {"type": "thinking", "thinking": "hm \u{0}", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "x", "text_before": 3, "calls_before": 1},
        ]);
        let thoughts = recall(Some(&kept));
        assert_eq!(thoughts.len(), 2);
        assert_eq!((thoughts[1].text_before, thoughts[1].calls_before), (3, 1));
        assert_eq!(keep(thoughts.iter()).unwrap(), kept);
        assert_eq!(keep([].iter()), None);
    }

    #[test]
    fn what_another_dialect_kept_is_passed_over() {
        for other in [json!(null), json!("x"), json!({"id": 1}), json!([{"type": "reasoning", "id": "rs_1"}])]
        {
            assert_eq!(recall(Some(&other)), []);
        }
        assert_eq!(recall(None), []);
    }
}
