//! Which model an agent talks to, and how.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// A model; a bare string is its name.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelRef {
    /// As the provider knows it, for example `gpt-5-mini`.
    pub name: String,
    /// A provider that the server's configuration knows (`openai`, `anthropic`, `compatible`, `practice`, or one of
    /// the operator's own). Absent: chosen by the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Sampling temperature, 0 to 2; absent: the provider's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Bound on the tokens of one answer; absent: the provider's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// `low`, `medium`, `high` and so on, for models that reason; absent: the provider's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// How the model is asked to use tools: `auto` (default), `required` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Seconds until the first token must have come; absent: the server's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_timeout_seconds: Option<u32>,
    /// Seconds until the whole answer must have come; absent: the server's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

/// How the model is asked to use tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// It must call a tool in its first turn.
    Required,
    /// It must not.
    None,
}

impl ModelRef {
    /// A model by name alone.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            provider: None,
            temperature: None,
            max_output_tokens: None,
            reasoning_effort: None,
            tool_choice: None,
            first_token_timeout_seconds: None,
            timeout_seconds: None,
        }
    }
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        /// The long form; the derive gives its unknown fields their message.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            name: String,
            provider: Option<String>,
            temperature: Option<f64>,
            max_output_tokens: Option<u32>,
            reasoning_effort: Option<String>,
            tool_choice: Option<ToolChoice>,
            first_token_timeout_seconds: Option<u32>,
            timeout_seconds: Option<u32>,
        }
        match serde_json::Value::deserialize(d)? {
            serde_json::Value::String(name) => Ok(Self::named(name)),
            object @ serde_json::Value::Object(_) => {
                let long: Long = serde_json::from_value(object).map_err(serde::de::Error::custom)?;
                Ok(Self {
                    name: long.name,
                    provider: long.provider,
                    temperature: long.temperature,
                    max_output_tokens: long.max_output_tokens,
                    reasoning_effort: long.reasoning_effort,
                    tool_choice: long.tool_choice,
                    first_token_timeout_seconds: long.first_token_timeout_seconds,
                    timeout_seconds: long.timeout_seconds,
                })
            }
            _ => Err(serde::de::Error::custom("a model is a name, or an object with `name`")),
        }
    }
}
