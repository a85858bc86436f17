//! Tasks: what is asked, how it stands, and how it ended.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::ids::{AgentId, StepId, TaskId, TenantId, UserId};

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Accepted; no worker has it yet, or it is ready again.
    Pending,
    /// A worker advances it.
    Running,
    /// It needs something from outside; `waiting_for` says what.
    Waiting,
    /// Ended with an output.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended because somebody said so.
    Cancelled,
}

impl TaskStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Waiting, Self::Completed, Self::Failed, Self::Cancelled];

    /// As it stands in JSON, rows and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it stays so for good.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl std::str::FromStr for TaskStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| {
            format!("`{text}` is no status: use pending, running, waiting, completed, failed or cancelled")
        })
    }
}

/// Why a step waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// Until a time.
    Timer,
    /// For a named signal.
    Signal,
    /// For a person's consent to a call.
    Approval,
    /// For a person's answer.
    Input,
    /// For a child task's end.
    Child,
    /// For a person's word on a `once` call whose outcome is unknown.
    Uncertain,
}

/// One thing that a task waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WaitingFor {
    /// The step that waits; answer with this name.
    pub step: StepId,
    /// What would end the wait.
    pub kind: WaitKind,
    /// The tool that was called.
    pub tool: String,
    /// Its arguments; for `uncertain` those of the call whose outcome is unknown.
    pub arguments: Value,
    /// JSON Schema of the answer, where one is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Milliseconds since 1970 after which the wait ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The child task, for kind `child`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<TaskId>,
    /// For people: the question asked, or why an outcome is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a task is asked: a text, a conversation, or the arguments of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TaskInput {
    /// One user message.
    Text(String),
    /// A conversation so far.
    Messages(Vec<InputMessage>),
    /// Arguments of an agent of kind `tool`; for a `react` agent they are shown to the model as JSON.
    Arguments(serde_json::Map<String, Value>),
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InputMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// Who speaks in a conversation that is given as input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions, beside the agent's own.
    System,
    /// The person or program that asks.
    User,
    /// The model, earlier.
    Assistant,
}

/// A message's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Several parts.
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture: exactly one of `url` and `data`.
    Image {
        /// Where the provider can fetch it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// The picture itself, base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
        /// For example `image/png`; needed with `data`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
    },
    /// A document.
    File {
        /// The document itself, base64.
        data: String,
        /// For example `application/pdf`.
        media_type: String,
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// Why a task failed or was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskError {
    /// Stable, for programs; see [`codes`].
    pub code: String,
    /// For people: what happened and what to do.
    pub message: String,
}

impl TaskError {
    /// An error with a code of [`codes`].
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// The codes of [`TaskError`].
pub mod codes {
    /// A limit of steps, tokens or cost was reached.
    pub const LIMIT_EXCEEDED: &str = "limit_exceeded";
    /// A budget that pays for the task has too little left for its next model call.
    pub const BUDGET_EXCEEDED: &str = "budget_exceeded";
    /// The time of `timeout_seconds` is over.
    pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";
    /// The conversation no longer fits the model.
    pub const CONTEXT_OVERFLOW: &str = "context_overflow";
    /// The provider refused the request; trying again would not help.
    pub const MODEL_REFUSED: &str = "model_refused";
    /// The provider could not be reached or kept failing.
    pub const MODEL_UNAVAILABLE: &str = "model_unavailable";
    /// The provider's answers made no sense, also after repairs.
    pub const MODEL_GARBAGE: &str = "model_garbage";
    /// The answer was cut off at its bound of tokens.
    pub const OUTPUT_TRUNCATED: &str = "output_truncated";
    /// The answer does not fit the schema, also after repairs.
    pub const OUTPUT_INVALID: &str = "output_invalid";
    /// The one tool of an agent of kind `tool` failed.
    pub const TOOL_FAILED: &str = "tool_failed";
    /// `max_cost_usd` is set, for the agent or in a budget, and the model's price is unknown.
    pub const PRICE_UNKNOWN: &str = "price_unknown";
    /// Somebody cancelled it.
    pub const CANCELLED: &str = "cancelled";
    /// The journal cannot be read; nothing is guessed.
    pub const JOURNAL_CORRUPT: &str = "journal_corrupt";
    /// The program failed in a way that it should not.
    pub const INTERNAL_ERROR: &str = "internal_error";
    /// It crashes the workers that it is given to.
    pub const POISON: &str = "poison";
    /// Agents called agents too deep.
    pub const TOO_DEEP: &str = "too_deep";
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum End {
    /// With an output: a JSON string, or what the output schema asked for.
    Completed {
        /// The answer.
        output: Value,
    },
    /// With an error.
    Failed {
        /// Why.
        error: TaskError,
    },
    /// By somebody's word.
    Cancelled {
        /// Who and why.
        error: TaskError,
    },
}

impl End {
    /// The status that a task has after it.
    pub fn status(&self) -> TaskStatus {
        match self {
            Self::Completed { .. } => TaskStatus::Completed,
            Self::Failed { .. } => TaskStatus::Failed,
            Self::Cancelled { .. } => TaskStatus::Cancelled,
        }
    }
}

/// The parent of a child task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The task that called.
    pub task: TaskId,
    /// The step that waits.
    pub step: StepId,
}

/// What the engine has to know of a task besides its journal. None of it changes after creation.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskHead {
    /// The task.
    pub id: TaskId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The agent that it runs.
    pub agent: AgentId,
    /// The version of it, fixed at creation.
    pub agent_version: u32,
    /// What is asked.
    pub input: TaskInput,
    /// 1 to 10, 10 most urgent.
    pub priority: u8,
    /// Milliseconds since 1970, by the store's clock.
    pub created_at: i64,
    /// When it must have ended, likewise.
    pub deadline_at: Option<i64>,
    /// The task that called it.
    pub parent: Option<Parent>,
    /// How many tasks are above it.
    pub depth: u32,
    /// Who created it.
    pub created_by: Option<UserId>,
    /// W3C trace context of the request that created it.
    pub traceparent: Option<String>,
}

/// The priority where nothing is said; 10 is the most urgent.
pub const DEFAULT_PRIORITY: u8 = 5;

/// A task to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Chosen by the creator: version 7 for requests, derived from the step for children.
    pub id: TaskId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// Its version.
    pub agent_version: u32,
    /// What is asked.
    pub input: TaskInput,
    /// 1 to 10, 10 most urgent.
    pub priority: u8,
    /// Milliseconds from creation to the deadline.
    pub timeout_ms: Option<u64>,
    /// The task that calls it.
    pub parent: Option<Parent>,
    /// How many tasks are above it.
    pub depth: u32,
    /// The creator's own words about it; filters of lists match its string values.
    pub metadata: serde_json::Map<String, Value>,
    /// Who creates it.
    pub created_by: Option<UserId>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}
