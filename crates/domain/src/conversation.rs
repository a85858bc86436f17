//! The conversation that a model is shown: derived from specification, input and journal, never stored.

use serde_json::Value;

use crate::journal::ToolCall;
use crate::task::Part;

/// One message, in the order in which the model sees it. System instructions come first.
#[derive(Debug, Clone, PartialEq)]
pub enum Message<'a> {
    /// Instructions.
    System(&'a str),
    /// The person or program that asks; also what the engine tells the model about a refused answer.
    User(Vec<PartRef<'a>>),
    /// An earlier answer.
    Assistant {
        /// What it said; may be empty.
        text: &'a str,
        /// What it called.
        calls: &'a [ToolCall],
        /// What the provider that gave it wants to see again with it. A provider of another dialect is not shown it:
        /// a task that goes on with one goes on without.
        opaque: Option<&'a Value>,
    },
    /// The result of a call of the assistant message before it.
    ToolResult {
        /// The provider's id of the call.
        call_id: &'a str,
        /// The tool.
        name: &'a str,
        /// Text as it is, other values to be shown as JSON.
        content: std::borrow::Cow<'a, Value>,
        /// Whether it failed.
        is_error: bool,
    },
}

/// A part of a user message.
#[derive(Debug, Clone, PartialEq)]
pub enum PartRef<'a> {
    /// Text.
    Text(std::borrow::Cow<'a, str>),
    /// A picture or document.
    Media(&'a Part),
}
