//! Outcomes of effects become entries. What a model or a tool sent is judged here, once, and the judgement is
//! journaled: a replay never judges anew.

use serde_json::Value;

use super::agent::Agent;
use super::context::Context;
use super::fault::{Fault, planted};
use super::next::{child_id, is_child_call};
use super::state::{CallStatus, State};
use crate::journal::{
    CallEnded, CallOutcome, CallStarted, CallUncertain, Entry, ToolCall, Turn, TurnOutcome,
};
use crate::outcome::{
    ChildOutcome, Finish, ModelAnswer, ModelOutcome, Outcome, RawCall, ToolOutcome, ToolResult,
};
use crate::spec::{AgentKind, Effect};
use crate::task::{NewTask, Parent, TaskError, TaskInput, codes};

/// Calls of one turn beyond this are refused: the model is told.
const MAX_CALLS: usize = 128;
/// How often in a row a model that answers nothing is asked again.
const MAX_EMPTY: u32 = 2;

/// What an outcome becomes.
pub(super) struct Record {
    pub entry: Entry,
    pub child: Option<NewTask>,
}

impl State {
    /// The entry of an outcome; `None` where it came too late to matter: its step has ended, or a person has decided.
    pub(super) fn record(&self, cx: &Context<'_>, outcome: Outcome) -> Option<Record> {
        if self.end.is_some() && !planted(Fault::DuplicateRecorded) {
            return None;
        }
        match outcome {
            Outcome::Model(outcome) => self.record_model(cx.agent, outcome),
            Outcome::ModelCut(cut) => {
                let wanted = self.awaits_turn(cx.agent, cut.turn);
                wanted.then_some(Record { entry: Entry::TurnCut(cut), child: None })
            }
            Outcome::Tool { attempt, outcome } => self.record_tool(cx.agent, attempt, outcome),
            Outcome::Child(outcome) => self.record_child(cx, outcome),
        }
    }

    /// Whether the turn is the one that the model is to make next.
    fn awaits_turn(&self, agent: &Agent, turn: u32) -> bool {
        let next = self.turns.len() as u32 + 1;
        agent.kind() == AgentKind::React && turn == next && self.open_calls().next().is_none()
    }

    fn record_model(&self, agent: &Agent, outcome: ModelOutcome) -> Option<Record> {
        if !self.awaits_turn(agent, outcome.turn) {
            return None;
        }
        let turn = Turn {
            turn: if planted(Fault::TurnRenumbered) { outcome.attempts } else { outcome.turn },
            request: outcome.request,
            outcome: match outcome.result {
                Ok(answer) => self.judge(agent, answer),
                Err(error) => TurnOutcome::Failed { error },
            },
            spend: outcome.spend,
            attempts: outcome.attempts,
            took_ms: outcome.took_ms,
        };
        Some(Record { entry: Entry::Turn(Box::new(turn)), child: None })
    }

    fn judge(&self, agent: &Agent, answer: ModelAnswer) -> TurnOutcome {
        let failed = |code, message: String| TurnOutcome::Failed { error: TaskError::new(code, message) };
        let ModelAnswer { text, calls, finish, opaque } = answer;
        match finish {
            Finish::Refused => {
                return failed(codes::MODEL_REFUSED, format!("the model refused to answer: {text}"));
            }
            Finish::Length => {
                let message =
                    "the answer was cut off at its bound of tokens: raise the model's `max_output_tokens`";
                return failed(codes::OUTPUT_TRUNCATED, message.to_owned());
            }
            Finish::Stop => {}
        }
        if !calls.is_empty() {
            let calls = calls.into_iter().enumerate().map(|(i, call)| check_call(agent, i, call)).collect();
            return TurnOutcome::Answer { text, calls, repair: None, output: None, opaque };
        }
        let (verdict, max, code) = match (agent.output(), &agent.version().spec.output) {
            (Some(schema), Some(spec)) => {
                let verdict = parse_answer(&text).and_then(|value| {
                    schema.check(&value).map_err(|why| format!("it does not fit the schema: {why}"))?;
                    Ok(Some(value))
                });
                (verdict, spec.max_repairs, codes::OUTPUT_INVALID)
            }
            _ if text.trim().is_empty() => (Err("it was empty".to_owned()), MAX_EMPTY, codes::MODEL_GARBAGE),
            _ => (Ok(None), 0, codes::MODEL_GARBAGE),
        };
        match verdict {
            Ok(output) => TurnOutcome::Answer { text, calls: Vec::new(), repair: None, output, opaque },
            Err(why) if self.repairs < max => {
                let repair =
                    format!("Your answer was not accepted: {why}. Answer again, correctly and completely.");
                TurnOutcome::Answer { text, calls: Vec::new(), repair: Some(repair), output: None, opaque }
            }
            Err(why) => {
                failed(code, format!("the model's answer was not accepted, also after {max} repairs: {why}"))
            }
        }
    }

    fn record_tool(&self, agent: &Agent, attempt: u32, outcome: ToolOutcome) -> Option<Record> {
        let ToolOutcome { step, result, attempts, took_ms } = outcome;
        let (call, _, _) = self.call(step)?;
        let tool = call.tool.and_then(|index| agent.tool(index))?;
        let open = match &call.status {
            CallStatus::Started { .. } => true,
            CallStatus::Ready => tool.effect != Effect::Once || planted(Fault::StartedSkipped),
            CallStatus::Ended(_) => planted(Fault::DuplicateRecorded),
            CallStatus::Waiting(_) | CallStatus::Uncertain { .. } => false,
        };
        if !open || call.attempt != attempt {
            return None;
        }
        let entry = match result {
            ToolResult::Ended(outcome) => Entry::CallEnded(CallEnded { step, outcome, attempts, took_ms }),
            ToolResult::Uncertain { reason } if matches!(call.status, CallStatus::Started { .. }) => {
                Entry::CallUncertain(CallUncertain { step, attempt: call.attempt, reason })
            }
            ToolResult::Uncertain { reason } => {
                let outcome = CallOutcome::Error { code: "no_answer".to_owned(), message: reason };
                Entry::CallEnded(CallEnded { step, outcome, attempts, took_ms })
            }
        };
        Some(Record { entry, child: None })
    }

    fn record_child(&self, cx: &Context<'_>, outcome: ChildOutcome) -> Option<Record> {
        let ChildOutcome { step, agent } = outcome;
        let (call, _, arguments) = self.call(step)?;
        if call.status != CallStatus::Ready || !is_child_call(cx.agent, call) {
            return None;
        }
        let (agent, agent_version) = match agent {
            Ok(found) => found,
            Err(why) => {
                let outcome = CallOutcome::Error { code: "no_agent".to_owned(), message: why };
                let entry = Entry::CallEnded(CallEnded { step, outcome, attempts: 1, took_ms: 0 });
                return Some(Record { entry, child: None });
            }
        };
        let input = match arguments.get("input") {
            Some(Value::String(text)) => TaskInput::Text(text.clone()),
            Some(Value::Object(map)) => TaskInput::Arguments(map.clone()),
            Some(other) => TaskInput::Text(other.to_string()),
            None => TaskInput::Text(String::new()),
        };
        let id = child_id(cx.task.id, step);
        let child = NewTask {
            id,
            tenant: cx.task.tenant,
            agent,
            agent_version,
            input,
            priority: cx.task.priority,
            timeout_ms: cx.task.deadline_at.map(|deadline| deadline.saturating_sub(cx.now).max(1) as u64),
            parent: Some(Parent { task: cx.task.id, step }),
            depth: cx.task.depth + 1,
            metadata: serde_json::Map::new(),
            created_by: cx.task.created_by,
            traceparent: cx.task.traceparent.clone(),
        };
        let entry = Entry::CallStarted(CallStarted { step, attempt: call.attempt, child: Some(id) });
        Some(Record { entry, child: Some(child) })
    }
}

fn check_call(agent: &Agent, index: usize, raw: RawCall) -> ToolCall {
    let RawCall { id, name, arguments } = raw;
    let parsed = match arguments.trim() {
        // Some models send nothing for a tool without parameters.
        "" => Ok(Value::Object(serde_json::Map::new())),
        text => serde_json::from_str::<Value>(text),
    };
    let (arguments, rejected) = match parsed {
        Ok(value) => {
            let rejected = agent.admit(&name, &value).err();
            (value, rejected)
        }
        Err(why) => (Value::String(arguments), Some(format!("the arguments are no JSON: {why}"))),
    };
    let rejected = if index >= MAX_CALLS {
        Some(format!("too many calls at once: {MAX_CALLS} is the bound"))
    } else {
        rejected
    };
    ToolCall { id, name, arguments, rejected }
}

/// The JSON of an answer. Models like to wrap it into a fence, whatever they were told.
fn parse_answer(text: &str) -> Result<Value, String> {
    let bare = text.trim();
    let bare = bare
        .strip_prefix("```json")
        .or_else(|| bare.strip_prefix("```"))
        .and_then(|rest| rest.strip_suffix("```"))
        .unwrap_or(bare);
    serde_json::from_str(bare.trim()).map_err(|why| format!("it is no JSON: {why}"))
}
