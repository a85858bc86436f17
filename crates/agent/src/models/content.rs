//! What both vendors' dialects do alike with what a conversation holds.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A tool's result as a model is shown it: text as it is, other values as JSON.
pub(super) fn result_text(content: &Value) -> Cow<'_, str> {
    match content {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(json_text(other)),
    }
}

/// A value as JSON text: what its `Display` gives, without the detour through a formatter.
pub(super) fn json_text(value: &Value) -> String {
    // Writing to memory fails only for maps whose keys are no strings.
    serde_json::to_string(value).unwrap_or_default()
}

/// Arguments as they are sent back. What was no object goes into one: servers that render the conversation with a
/// template fail on anything else, and Anthropic's dialect takes nothing else.
pub(super) fn shown_arguments(arguments: &Value) -> Cow<'_, Value> {
    match arguments {
        Value::Object(_) => Cow::Borrowed(arguments),
        other => Cow::Owned(serde_json::json!({ "invalid_arguments": other })),
    }
}

/// An address, or what stands behind it.
pub(super) enum DataUrl<'a> {
    Url(&'a str),
    Data { media_type: &'a str, data: &'a str },
}

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Url(url) => s.serialize_str(url),
            Self::Data { media_type, data } => {
                s.collect_str(&format_args!("data:{media_type};base64,{data}"))
            }
        }
    }
}
