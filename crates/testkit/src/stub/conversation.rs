//! What the stub reads of a request: who said what, and how many results there are. Unread parts stay raw.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A request to a model, of either vendor.
#[derive(Deserialize)]
pub struct ChatRequest<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    /// Whether the answer is to be streamed.
    #[serde(default)]
    pub stream: bool,
    /// The model that is asked for.
    #[serde(default)]
    pub model: Option<String>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    text: String,
}

impl Message<'_> {
    fn blocks(&self) -> Vec<Block> {
        let parts = self.content.map(RawValue::get).filter(|raw| raw.starts_with('['));
        parts.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
    }
}

impl ChatRequest<'_> {
    /// Tool results in the conversation, in OpenAI's (`role: tool`) or Anthropic's (`tool_result`) form.
    pub fn tool_results(&self) -> usize {
        let of = |m: &Message<'_>| match &*m.role {
            "tool" => 1,
            "user" => m.blocks().iter().filter(|b| b.kind == "tool_result").count(),
            _ => 0,
        };
        self.messages.iter().map(of).sum()
    }

    /// Turns that the model has made.
    pub fn turns(&self) -> usize {
        self.messages.iter().filter(|m| m.role == "assistant").count()
    }

    /// The first user message as text.
    pub fn first_words(&self) -> Option<String> {
        let message = self.messages.iter().find(|m| m.role == "user")?;
        let raw = message.content?.get();
        if raw.starts_with('"') {
            return serde_json::from_str(raw).ok();
        }
        message.blocks().into_iter().find(|b| b.kind == "text").map(|b| b.text)
    }

    /// `run_tag:<id>` in the first user message.
    pub fn run_tag(&self) -> Option<String> {
        let words = self.first_words()?;
        let rest = words.split_once("run_tag:")?.1;
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c))).unwrap_or(rest.len());
        Some(rest[..end].to_owned()).filter(|tag| !tag.is_empty())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_vendors_results_are_counted() {
        let openai = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a \"run_tag:t-1, b"},
            {"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"1"},{"role":"tool","content":"2"}]}"#;
        let chat: ChatRequest = serde_json::from_str(openai).unwrap();
        assert_eq!((chat.tool_results(), chat.turns(), chat.run_tag().as_deref()), (2, 1, Some("t-1")));
        let anthropic = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]},
            {"role":"assistant","content":[{"type":"tool_use"}]},
            {"role":"user","content":[{"type":"tool_result"},{"type":"tool_result"}]}]}"#;
        let chat: ChatRequest = serde_json::from_str(anthropic).unwrap();
        assert_eq!((chat.tool_results(), chat.turns(), chat.first_words().as_deref()), (2, 1, Some("hello")));
    }
}
