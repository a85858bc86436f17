//! The request as the practice model reads it: OpenAI's dialect.

use serde::Deserialize;
use serde_json::Value;

/// A request.
#[derive(Debug, Deserialize)]
pub(super) struct Conversation {
    pub messages: Vec<Message>,
    #[serde(default)]
    tools: Vec<ToolWrapper>,
    #[serde(default)]
    pub tool_choice: Option<String>,
    #[serde(default)]
    response_format: Option<Value>,
}

/// One message.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub role: String,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    pub tool_calls: Vec<Call>,
    #[serde(default)]
    pub tool_call_id: String,
}

/// An earlier call.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    pub id: String,
    pub function: Function,
}

/// What was called.
#[derive(Debug, Deserialize)]
pub(super) struct Function {
    pub name: String,
}

#[derive(Debug, Deserialize)]
struct ToolWrapper {
    function: Tool,
}

/// A tool.
#[derive(Debug, Deserialize)]
pub(super) struct Tool {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub parameters: Value,
}

impl Message {
    /// Its words.
    pub(super) fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let texts: Vec<&str> =
                    parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
                texts.join("\n")
            }
            _ => String::new(),
        }
    }
}

impl Conversation {
    /// The tools, without their wrapping.
    pub(super) fn take_tools(&mut self) -> Vec<Tool> {
        std::mem::take(&mut self.tools).into_iter().map(|tool| tool.function).collect()
    }

    /// The schema that the answer must fulfil.
    pub(super) fn schema(&self) -> Option<&Value> {
        self.response_format.as_ref()?.pointer("/json_schema/schema")
    }

    /// The last thing that a user said, and everything after it.
    pub(super) fn last_question(&self) -> (String, &[Message]) {
        match self.messages.iter().rposition(|m| m.role == "user") {
            Some(at) => (self.messages[at].text(), &self.messages[at + 1..]),
            None => (String::new(), &self.messages),
        }
    }
}
