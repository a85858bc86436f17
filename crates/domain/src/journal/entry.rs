//! What a journal says. Only facts are journaled; what follows from them is decided anew by every reader.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{StepId, TaskId};
use crate::inbox::InboxMessage;
use crate::task::{End, TaskError};
use crate::usage::Spend;

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Entry {
    /// A model call ended. In a `react` agent a turn without calls and without `repair` ends the task.
    Turn(Box<Turn>),
    /// A model call was cut off before its answer and will be made again.
    TurnCut(TurnCut),
    /// A call of a `once` tool is about to be sent, or a child task was created with this entry.
    CallStarted(CallStarted),
    /// A tool call ended. In an agent of kind `tool` it ends the task.
    CallEnded(CallEnded),
    /// A `once` call was sent and its outcome is unknown.
    CallUncertain(CallUncertain),
    /// A message was taken from the inbox.
    Received(Received),
    /// The time that a step waited for has come.
    TimerFired(TimerFired),
    /// The task ended for a reason of its own: a limit, a cancel.
    Ended(Ended),
}

/// An entry with what the store knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// From 1, without holes.
    pub seq: u64,
    /// The epoch of the task when it was written; never falls.
    pub epoch: u32,
    /// Milliseconds since 1970 by the store's clock; never falls.
    pub at: i64,
    /// What it says.
    pub entry: Entry,
}

/// A model call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Its number, from 1.
    pub turn: u32,
    /// What was asked and of whom.
    pub request: ModelAttempt,
    /// What came of it.
    pub outcome: TurnOutcome,
    /// Tokens and cost, of all attempts.
    pub spend: Spend,
    /// Attempts in all.
    pub attempts: u32,
    /// Milliseconds from the first attempt to the end.
    pub took_ms: u64,
}

/// See [`Entry::TurnCut`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnCut {
    /// The turn that it would have made.
    pub turn: u32,
    /// What it has cost by estimate: the provider sends no bill for an answer that nobody waits for.
    pub spend: Spend,
    /// Why, for people.
    pub reason: String,
}

/// Which request was sent: with it, the specification and the journal before it the exact bytes can be built again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAttempt {
    /// The configured provider.
    pub provider: String,
    /// The model that was asked for there.
    pub model: String,
    /// Wire dialect: `openai`, `anthropic` or `practice`.
    pub dialect: String,
    /// Version of the code that built the body.
    pub format: u16,
    /// SHA-256 of the body, hex.
    pub sha256: String,
}

/// What came of a model call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum TurnOutcome {
    /// The model answered.
    Answer {
        /// What it said.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// What it calls.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
        /// Why the answer is not accepted, told to the model in the next turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repair: Option<String>,
        /// The answer as the output schema demands it; absent: the text is the output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Value>,
        /// What the provider wants to see again with this answer; meaningless to anybody else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Value>,
    },
    /// No answer can be had: the task fails.
    Failed {
        /// Why.
        error: TaskError,
    },
}

/// One call in a turn; its place in the list is its index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's name for it, needed in its next request and for nothing else.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments; a string where the model sent something that is no JSON object.
    pub arguments: Value,
    /// Why it is not performed: an unknown tool, or arguments that do not fit. The model is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

/// See [`Entry::CallStarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStarted {
    /// The call.
    pub step: StepId,
    /// Counted from 1; raised only when a person said that the one before did not happen.
    pub attempt: u32,
    /// The child task, where the tool is `run_agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<TaskId>,
}

/// See [`Entry::CallEnded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallEnded {
    /// The call.
    pub step: StepId,
    /// What came of it.
    pub outcome: CallOutcome,
    /// Attempts that this worker made.
    pub attempts: u32,
    /// Milliseconds from the first attempt to the end.
    pub took_ms: u64,
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum CallOutcome {
    /// The tool answered.
    Ok {
        /// What the model is shown: text as it is, other values as JSON.
        content: Value,
    },
    /// It failed; the model is told.
    Error {
        /// Stable, for programs: `timeout`, `http_500`, `too_large`, `rejected` and so on.
        code: String,
        /// For the model and for people.
        message: String,
    },
}

/// See [`Entry::CallUncertain`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallUncertain {
    /// The call.
    pub step: StepId,
    /// The attempt whose outcome is unknown.
    pub attempt: u32,
    /// Why, for people.
    pub reason: String,
}

/// See [`Entry::Received`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// The message.
    pub message: InboxMessage,
    /// The step whose wait it ends.
    pub step: StepId,
}

/// See [`Entry::TimerFired`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerFired {
    /// The step.
    pub step: StepId,
}

/// See [`Entry::Ended`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub end: End,
}
