//! How a call begins: ready to be performed, or waiting.

use serde_json::Value;

use super::agent::Agent;
use super::fault::{Fault, planted};
use super::state::{CallState, CallStatus, State, TurnState, Wait};
use crate::ids::StepId;
use crate::journal::{CallOutcome, ToolCall};
use crate::spec::{Approval, Effect, ToolDef};
use crate::task::{TaskHead, TaskInput, WaitKind};
use crate::usage::Spend;

/// The built-in tool that waits for a time.
pub const SLEEP: &str = "sleep";
/// The built-in tool that waits for a person's answer.
pub const ASK_HUMAN: &str = "ask_human";
/// The built-in tool that waits for a named signal.
pub const WAIT_SIGNAL: &str = "wait_signal";
/// The built-in tool that runs another agent as a child task.
pub const RUN_AGENT: &str = "run_agent";

/// Four hundred days: waits beyond this are refused, so that sums of milliseconds cannot overflow.
const LONGEST_WAIT_SECONDS: f64 = 400.0 * 86_400.0;

impl State {
    /// A task without entries.
    pub fn new(agent: &Agent, task: &TaskHead) -> Self {
        let mut state = Self {
            next_seq: 1,
            epoch: 0,
            last_at: task.created_at,
            turns: Vec::new(),
            repairs: 0,
            steps: 0,
            spend: Spend::default(),
            consumed: Default::default(),
            end: None,
            last_request: None,
            unconfirmed: Vec::new(),
        };
        if agent.kind() == crate::spec::AgentKind::Tool {
            let arguments = match &task.input {
                TaskInput::Arguments(map) => Value::Object(map.clone()),
                TaskInput::Text(text) => Value::String(text.clone()),
                TaskInput::Messages(_) => Value::Null,
            };
            let name = agent.tool(0).map(|t| t.name.clone()).unwrap_or_default();
            let rejected = agent.admit(&name, &arguments).err();
            let call = ToolCall { id: "1".to_owned(), name, arguments, rejected };
            state.push_turn(
                agent,
                TurnParts { number: 1, text: String::new(), calls: vec![call], repair: None, opaque: None },
                task.created_at,
            );
            state.unconfirmed.clear();
        }
        state
    }

    pub(super) fn push_turn(&mut self, agent: &Agent, parts: TurnParts, at: i64) {
        let states: Vec<CallState> =
            parts.calls.iter().map(|call| self.first_state(agent, call, at)).collect();
        for (index, state) in states.iter().enumerate() {
            if matches!(state.status, CallStatus::Waiting(_)) {
                self.unconfirmed.push(StepId::call(parts.number, index as u32));
            }
        }
        self.steps = self.steps.saturating_add(parts.calls.len() as u32);
        self.turns.push(TurnState {
            number: parts.number,
            text: parts.text,
            calls: parts.calls,
            states,
            repair: parts.repair,
            opaque: parts.opaque,
        });
    }

    fn first_state(&self, agent: &Agent, call: &ToolCall, at: i64) -> CallState {
        let tool = if call.rejected.is_none() { agent.tool_index(&call.name) } else { None };
        let mut state =
            CallState { tool, attempt: 1, edited: None, was_uncertain: false, status: CallStatus::Ready };
        state.status = match (&call.rejected, tool.and_then(|index| agent.tool(index))) {
            (Some(why), _) => CallStatus::Ended(CallOutcome::Error {
                code: "invalid_call".to_owned(),
                message: why.clone(),
            }),
            // `apply` refuses entries that lead here.
            (None, None) => CallStatus::Ready,
            (None, Some(tool)) if self.needs_approval(tool, call) => CallStatus::Waiting(Wait {
                kind: WaitKind::Approval,
                since: at,
                expires_at: None,
                child: None,
            }),
            (None, Some(tool)) => begin(tool, &call.arguments, at),
        };
        state
    }

    /// A call of a tool that always needs consent does; so does a `once` call that is equal to one whose outcome was
    /// unknown: a model that is told of the trouble likes to try again.
    fn needs_approval(&self, tool: &ToolDef, call: &ToolCall) -> bool {
        if planted(Fault::ApprovalSkipped) {
            return false;
        }
        tool.approval == Approval::Always
            || tool.effect == Effect::Once
                && self.turns.iter().any(|turn| {
                    turn.calls.iter().zip(&turn.states).any(|(earlier, state)| {
                        state.was_uncertain
                            && earlier.name == call.name
                            && earlier.arguments == call.arguments
                    })
                })
    }
}

/// What makes a turn.
pub(super) struct TurnParts {
    pub number: u32,
    pub text: String,
    pub calls: Vec<ToolCall>,
    pub repair: Option<String>,
    pub opaque: Option<Value>,
}

/// How a call stands that nothing holds back.
pub(super) fn begin(tool: &ToolDef, arguments: &Value, at: i64) -> CallStatus {
    let wait = |kind, expires_at| CallStatus::Waiting(Wait { kind, since: at, expires_at, child: None });
    let after = |seconds: f64| at.saturating_add((seconds * 1000.0).ceil() as i64);
    match tool.source.builtin() {
        Some(SLEEP) => match seconds(arguments, "seconds") {
            Ok(Some(seconds)) => wait(WaitKind::Timer, Some(after(seconds))),
            Ok(None) => invalid("`seconds` is missing"),
            Err(why) => invalid(&why),
        },
        Some(name @ (ASK_HUMAN | WAIT_SIGNAL)) => {
            let kind = if name == ASK_HUMAN { WaitKind::Input } else { WaitKind::Signal };
            match seconds(arguments, "timeout_seconds") {
                Ok(limit) => wait(kind, limit.map(after)),
                Err(why) => invalid(&why),
            }
        }
        _ => CallStatus::Ready,
    }
}

fn seconds(arguments: &Value, key: &str) -> Result<Option<f64>, String> {
    match arguments.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..=LONGEST_WAIT_SECONDS).contains(&seconds) => Ok(Some(seconds)),
            _ => Err(format!("`{key}` must be a number of seconds from 0 to {LONGEST_WAIT_SECONDS}")),
        },
    }
}

fn invalid(why: &str) -> CallStatus {
    CallStatus::Ended(CallOutcome::Error { code: "invalid_call".to_owned(), message: why.to_owned() })
}
