//! What the performers of effects report to the engine. Nothing here is stored: the engine makes entries of it.

use serde_json::Value;

use crate::ids::{AgentId, StepId};
use crate::journal::{CallOutcome, ModelAttempt, TurnCut};
use crate::task::TaskError;
use crate::usage::Spend;

/// The end of an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A model call ended.
    Model(ModelOutcome),
    /// A model call was cut off.
    ModelCut(TurnCut),
    /// A tool call ended.
    Tool {
        /// The journaled attempt that was performed: an outcome says nothing of a later one.
        attempt: u32,
        /// What came of it.
        outcome: ToolOutcome,
    },
    /// The agent that a child task is to run was looked up.
    Child(ChildOutcome),
}

/// The agent of a child task that is about to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildOutcome {
    /// The call of `run_agent`.
    pub step: StepId,
    /// The agent and its newest version, or why there is none: told to the model.
    pub agent: Result<(AgentId, u32), String>,
}

/// The end of a model call.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOutcome {
    /// The turn that it makes.
    pub turn: u32,
    /// What was asked and of whom.
    pub request: ModelAttempt,
    /// What came back.
    pub result: Result<ModelAnswer, TaskError>,
    /// Tokens and cost of all attempts.
    pub spend: Spend,
    /// Attempts in all.
    pub attempts: u32,
    /// Milliseconds from the first attempt to the end.
    pub took_ms: u64,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelAnswer {
    /// Its words.
    pub text: String,
    /// Its calls, in order.
    pub calls: Vec<RawCall>,
    /// Why it stopped.
    pub finish: Finish,
    /// What the provider wants to see again with this answer; meaningless to anybody else.
    pub opaque: Option<Value>,
}

/// A call as the model wrote it, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCall {
    /// The provider's id for it.
    pub id: String,
    /// The tool's name, which may not exist.
    pub name: String,
    /// Arguments, which may be no JSON.
    pub arguments: String,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finish {
    /// It had finished, or wants its tools.
    #[default]
    Stop,
    /// The bound of tokens was reached.
    Length,
    /// The provider's filter, or the model itself, refused.
    Refused,
}

/// The end of a tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutcome {
    /// The call.
    pub step: StepId,
    /// What came of it.
    pub result: ToolResult,
    /// Attempts that were made.
    pub attempts: u32,
    /// Milliseconds from the first attempt to the end.
    pub took_ms: u64,
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolResult {
    /// It answered, or failed for certain.
    Ended(CallOutcome),
    /// A `once` call was sent and nothing is known of its outcome.
    Uncertain {
        /// Why, for people.
        reason: String,
    },
}

impl ToolResult {
    /// A tool's answer.
    pub fn ok(content: Value) -> Self {
        Self::Ended(CallOutcome::Ok { content })
    }

    /// A certain failure.
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::Ended(CallOutcome::Error { code: code.to_owned(), message: message.into() })
    }
}
