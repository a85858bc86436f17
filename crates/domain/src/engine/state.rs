//! What a journal says of a task.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::ids::{StepId, TaskId};
use crate::journal::{CallOutcome, ModelAttempt, ToolCall};
use crate::task::{End, WaitKind};
use crate::usage::Spend;

/// A task as its journal tells it.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) next_seq: u64,
    pub(super) epoch: u32,
    pub(super) last_at: i64,
    pub(super) turns: Vec<TurnState>,
    pub(super) repairs: u32,
    pub(super) steps: u32,
    pub(super) spend: Spend,
    pub(super) consumed: BTreeSet<u64>,
    pub(super) end: Option<End>,
    pub(super) last_request: Option<ModelAttempt>,
    /// Waits that began with entries whose time is not confirmed yet.
    pub(super) unconfirmed: Vec<StepId>,
}

/// A turn of the model; in an agent of kind `tool` the only one, made of the task's input.
#[derive(Debug, Clone)]
pub struct TurnState {
    /// From 1.
    pub number: u32,
    /// What the model said.
    pub text: String,
    /// What it called, as it wrote it.
    pub calls: Vec<ToolCall>,
    /// How each call stands.
    pub states: Vec<CallState>,
    /// Why the answer was not accepted.
    pub repair: Option<String>,
    /// What the provider wants to see again with this answer.
    pub opaque: Option<Value>,
}

/// How a call stands.
#[derive(Debug, Clone)]
pub struct CallState {
    /// The tool's index in the agent version; `None` where the call is not performed.
    pub tool: Option<usize>,
    /// From 1; raised when a person said that the attempt before did not happen.
    pub attempt: u32,
    /// Arguments that a person put in place of the model's.
    pub edited: Option<Value>,
    /// Whether an attempt's outcome was unknown once.
    pub was_uncertain: bool,
    /// How it stands.
    pub status: CallStatus,
}

/// How a call stands.
#[derive(Debug, Clone, PartialEq)]
pub enum CallStatus {
    /// To be performed.
    Ready,
    /// A `once` call that may have been sent.
    Started {
        /// The epoch that journaled it: only the worker of that epoch knows whether it still runs.
        epoch: u32,
    },
    /// Nothing can be done until something happens.
    Waiting(Wait),
    /// It was sent and nobody knows what came of it.
    Uncertain {
        /// Why, for people.
        reason: String,
    },
    /// It has a result.
    Ended(CallOutcome),
}

/// What a call waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What would end it.
    pub kind: WaitKind,
    /// Milliseconds since 1970.
    pub since: i64,
    /// When it ends by itself, likewise.
    pub expires_at: Option<i64>,
    /// The child task.
    pub child: Option<TaskId>,
}

impl State {
    /// Seq of the entry that comes next.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Milliseconds since 1970 of the newest entry, or of the creation.
    pub fn last_at(&self) -> i64 {
        self.last_at
    }

    /// How the task ended.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Consumed so far, ended children included.
    pub fn spend(&self) -> Spend {
        self.spend
    }

    /// Model and tool calls so far.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The turns so far.
    pub fn turns(&self) -> &[TurnState] {
        &self.turns
    }

    /// The newest request that a model answered.
    pub fn last_request(&self) -> Option<&ModelAttempt> {
        self.last_request.as_ref()
    }

    /// Whether an inbox message was taken.
    pub fn has_consumed(&self, message: u64) -> bool {
        self.consumed.contains(&message)
    }

    /// A call and its arguments as they are to be sent.
    pub fn call(&self, step: StepId) -> Option<(&CallState, &ToolCall, &Value)> {
        let turn = self.turns.get(usize::try_from(step.turn).ok()?.checked_sub(1)?)?;
        let index = usize::try_from(step.call?).ok()?;
        let (call, state) = (turn.calls.get(index)?, turn.states.get(index)?);
        Some((state, call, state.edited.as_ref().unwrap_or(&call.arguments)))
    }

    pub(super) fn call_mut(&mut self, step: StepId) -> Option<&mut CallState> {
        let turn = self.turns.get_mut(usize::try_from(step.turn).ok()?.checked_sub(1)?)?;
        turn.states.get_mut(usize::try_from(step.call?).ok()?)
    }

    /// Calls of the newest turn that have not ended. Calls of earlier turns have: a turn waits for all of them.
    pub(super) fn open_calls(&self) -> impl Iterator<Item = (StepId, &CallState)> {
        self.turns.last().into_iter().flat_map(|turn| {
            turn.states.iter().enumerate().filter_map(|(index, state)| {
                let open = !matches!(state.status, CallStatus::Ended(_));
                open.then(|| (StepId::call(turn.number, index as u32), state))
            })
        })
    }
}
