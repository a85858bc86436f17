//! Scripts: a first user message that is JSON with the key `script` tells the model what to do, turn by turn.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a model is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Script {
    /// The calls of each turn; several calls in one turn are parallel calls.
    pub turns: Vec<Vec<ScriptCall>>,
    /// The text after the last turn.
    #[serde(default)]
    pub answer: String,
    /// Milliseconds before each answer; absent: the stub's own latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

/// One tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptCall {
    /// The tool.
    pub tool: String,
    /// Its arguments. The stub's own tools understand `latency_ms`, and `cut: true`: the first call with its
    /// idempotency key is cut off unperformed and unanswered; with `cut_after: true` it is performed and not answered.
    #[serde(default)]
    pub arguments: Value,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    script: Script,
}

impl Script {
    /// As a user message.
    pub fn to_message(&self) -> String {
        serde_json::to_string(&Envelope { script: self.clone() }).unwrap_or_default()
    }

    /// Out of a user message; `None` where it is none.
    pub fn from_message(text: &str) -> Option<Self> {
        let text = text.trim_start();
        // Most messages are plain text; a parser that fails on each of them would cost more than the rest of a call.
        if !text.starts_with("{\"script\"") {
            return None;
        }
        serde_json::from_str::<Envelope>(text).ok().map(|e| e.script)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_script_survives_being_a_message() {
        let call = ScriptCall { tool: "charge".into(), arguments: serde_json::json!({"amount": 3}) };
        let script = Script {
            turns: vec![vec![call.clone(), call], vec![]],
            answer: "done".into(),
            latency_ms: Some(2),
        };
        assert_eq!(Script::from_message(&script.to_message()).unwrap(), script);
        assert_eq!(Script::from_message("What is 17% of 2,340?"), None);
        assert_eq!(Script::from_message("{\"script\": 3}"), None);
    }
}
