//! Tools: as written in a specification, and as resolved when a version is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What repeating a call does to the world.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: it only reads. May be repeated.
    None,
    /// May be repeated with the same `Idempotency-Key`.
    Idempotent,
    /// Must not be repeated: journaled before it is sent, and left to a person if its outcome is unknown.
    #[default]
    Once,
}

/// Whether a person has to agree before a call is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// No.
    #[default]
    Never,
    /// Every call waits for a person.
    Always,
}

/// How often and how a call that failed in passing is tried again. Calls of `once` tools are repeated only when it is
/// certain that nothing was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// Milliseconds before the second attempt; doubled each time, with jitter.
    pub initial_ms: u64,
    /// Bound on one pause in milliseconds.
    pub max_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 3, initial_ms: 500, max_ms: 20_000 }
    }
}

/// A tool as its author writes it: the name of a built-in one, or an object with `builtin`, `http` or `mcp`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ToolSpec {
    /// A tool of this program.
    Builtin(BuiltinTool),
    /// An HTTP endpoint with a schema.
    Http(HttpTool),
    /// All or some tools of an MCP server.
    Mcp(McpTool),
}

/// A tool of this program: `calculator`, `http_request`, `now`, `sleep`, `ask_human`, `wait_signal`, `run_agent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuiltinTool {
    /// Its name.
    pub builtin: String,
    /// Overrides what it says of itself; only `http_request` may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Whether a person has to agree.
    #[serde(default, skip_serializing_if = "is_default")]
    pub approval: Approval,
    /// Seconds after which a call is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Bound on a result in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_result_bytes: Option<u32>,
}

/// An HTTP endpoint that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTool {
    /// What the model calls it: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Told to the model.
    #[serde(default)]
    pub description: String,
    /// A JSON Schema of type `object` for the arguments.
    #[serde(default = "any_object")]
    pub parameters: Value,
    /// What repeating a call does; `once` when nothing is said.
    #[serde(default)]
    pub effect: Effect,
    /// Whether a person has to agree.
    #[serde(default, skip_serializing_if = "is_default")]
    pub approval: Approval,
    /// Seconds after which a call is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How passing failures are met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Bound on a result in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_result_bytes: Option<u32>,
    /// The request.
    pub http: HttpRequestSpec,
}

/// The request that an HTTP tool makes. With GET, HEAD and DELETE the arguments become the query, else a JSON body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpRequestSpec {
    /// Its method.
    #[serde(default)]
    pub method: HttpMethod,
    /// `http` or `https`.
    pub url: String,
    /// Sent as they are, after `${secret:NAME}` has been resolved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// Methods that a tool may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum HttpMethod {
    Get,
    Head,
    #[default]
    Post,
    Put,
    Patch,
    Delete,
}

impl HttpMethod {
    /// Whether arguments travel in the query.
    pub fn takes_query(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Delete)
    }

    /// As it stands in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Tools of an MCP server. What it lists is resolved when the agent is applied, and stored with the version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct McpTool {
    /// The server.
    pub mcp: McpServerRef,
}

/// Where an MCP server is: exactly one of `command`, `url` and `server`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct McpServerRef {
    /// Program and arguments of a server that speaks over standard input and output. Only in a loopback `up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The program's whole environment (besides `PATH`); values may hold `${secret:NAME}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// A server that speaks streamable HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Sent to `url`; values may hold `${secret:NAME}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A server that the operator's configuration names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Only these tools; absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Effect class per tool; a tool that is not named is `once`, whatever the server hints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub effects: BTreeMap<String, Effect>,
    /// Approval per tool; a tool that is not named needs none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvals: BTreeMap<String, Approval>,
    /// Seconds after which a call is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How passing failures are met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Bound on a result in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_result_bytes: Option<u32>,
}

fn any_object() -> Value {
    serde_json::json!({"type": "object"})
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<'de> Deserialize<'de> for ToolSpec {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = Value::deserialize(d)?;
        let has = |key: &str| value.get(key).is_some();
        if let Value::String(builtin) = value {
            let tool = serde_json::json!({ "builtin": builtin });
            serde_json::from_value(tool).map(Self::Builtin).map_err(D::Error::custom)
        } else if has("builtin") {
            serde_json::from_value(value).map(Self::Builtin).map_err(D::Error::custom)
        } else if has("http") {
            serde_json::from_value(value).map(Self::Http).map_err(D::Error::custom)
        } else if has("mcp") {
            serde_json::from_value(value).map(Self::Mcp).map_err(D::Error::custom)
        } else {
            Err(D::Error::custom(
                "a tool is the name of a built-in one, or an object with `builtin`, `http` or `mcp`",
            ))
        }
    }
}

/// A tool as a version keeps it: nothing left to look up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolDef {
    /// What the model calls it; unique in the version.
    pub name: String,
    /// Told to the model.
    pub description: String,
    /// JSON Schema of the arguments.
    pub parameters: Value,
    /// What repeating a call does.
    pub effect: Effect,
    /// Whether a person has to agree.
    pub approval: Approval,
    /// Milliseconds after which one attempt is given up.
    pub timeout_ms: u64,
    /// How passing failures are met.
    pub retry: RetryPolicy,
    /// Bound on a result in bytes.
    pub max_result_bytes: u32,
    /// Who performs it.
    pub source: ToolSource,
}

/// Who performs a tool.
// There is one of these per tool and version, not per call: a box would cost more than the room it saves.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToolSource {
    /// This program, by name.
    Builtin {
        /// The built-in tool's name.
        builtin: String,
    },
    /// An HTTP endpoint.
    Http {
        /// The request.
        request: HttpRequestSpec,
    },
    /// A tool of an MCP server.
    Mcp {
        /// The server as the specification names it (secrets stay references).
        server: McpServerRef,
        /// The tool's name there.
        tool: String,
    },
}

impl ToolSource {
    /// The name, where the tool is built in.
    pub fn builtin(&self) -> Option<&str> {
        match self {
            Self::Builtin { builtin } => Some(builtin),
            _ => None,
        }
    }
}

impl ToolDef {
    /// Bound on a result where a specification names none: 256 KiB.
    pub const MAX_RESULT_BYTES: u32 = 256 * 1024;
    /// Time-out of one attempt where a specification names none: 60 s.
    pub const TIMEOUT_MS: u64 = 60_000;
}
