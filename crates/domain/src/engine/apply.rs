//! Folding entries. Whatever the bytes say, the answer is a state or a typed error.

use serde_json::{Value, json};

use super::agent::Agent;
use super::begin::{RUN_AGENT, TurnParts, begin};
use super::fault::{Fault, planted};
use super::state::{CallStatus, State, Wait};
use crate::ids::StepId;
use crate::inbox::{ApprovalDecision, InboxBody, ResolveDecision};
use crate::journal::{CallEnded, CallOutcome, CallStarted, Entry, Received, Recorded, Turn, TurnOutcome};
use crate::spec::{AgentKind, Effect};
use crate::task::{End, TaskError, TaskHead, WaitKind, codes};

/// A journal that no engine could have written, or an agent that does not belong to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} of the journal is impossible: {why}")]
pub struct ReplayError {
    /// The entry.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

impl State {
    /// Folds a whole journal.
    pub fn replay<'a>(
        agent: &Agent,
        task: &TaskHead,
        journal: impl IntoIterator<Item = &'a Recorded>,
    ) -> Result<Self, ReplayError> {
        let mut state = Self::new(agent, task);
        for recorded in journal {
            state.apply(agent, recorded)?;
        }
        state.unconfirmed.clear();
        Ok(state)
    }

    /// Folds one entry.
    pub fn apply(&mut self, agent: &Agent, recorded: &Recorded) -> Result<(), ReplayError> {
        let seq = recorded.seq;
        let fail = |why: String| ReplayError { seq, why };
        if seq != self.next_seq {
            return Err(fail(format!("seq {} was expected", self.next_seq)));
        }
        if recorded.epoch < self.epoch {
            return Err(fail(format!("epoch {} comes after epoch {}", recorded.epoch, self.epoch)));
        }
        if self.end.is_some() {
            return Err(fail("the task had ended before it".to_owned()));
        }
        let at = recorded.at.max(self.last_at);
        match &recorded.entry {
            Entry::Turn(turn) => self.apply_turn(agent, turn, at),
            Entry::TurnCut(cut) => self.may_turn(agent, cut.turn).map(|()| self.spend += cut.spend),
            Entry::CallStarted(started) => self.apply_started(agent, started, recorded.epoch, at),
            Entry::CallEnded(ended) => self.apply_ended(agent, ended),
            Entry::CallUncertain(uncertain) => {
                let call =
                    self.call_mut(uncertain.step).ok_or_else(|| no_call(uncertain.step)).map_err(fail)?;
                if !matches!(call.status, CallStatus::Started { .. }) || call.attempt != uncertain.attempt {
                    return Err(fail(format!("call {} was not started", uncertain.step)));
                }
                call.was_uncertain = true;
                call.status = CallStatus::Uncertain { reason: uncertain.reason.clone() };
                Ok(())
            }
            Entry::Received(received) => self.apply_received(agent, received, at),
            Entry::TimerFired(fired) => self.apply_timer(agent, fired.step),
            Entry::Ended(ended) => {
                self.end = Some(ended.end.clone());
                Ok(())
            }
        }
        .map_err(fail)?;
        self.next_seq += 1;
        self.epoch = recorded.epoch;
        self.last_at = at;
        Ok(())
    }

    /// Whether the model was asked for this turn.
    fn may_turn(&self, agent: &Agent, turn: u32) -> Result<(), String> {
        if agent.kind() != AgentKind::React {
            return Err("an agent of kind `tool` has no model".to_owned());
        }
        if turn as usize != self.turns.len() + 1 {
            return Err(format!("turn {} was expected, not {turn}", self.turns.len() + 1));
        }
        if self.open_calls().next().is_some() {
            return Err("calls of the turn before it have not ended".to_owned());
        }
        Ok(())
    }

    fn apply_turn(&mut self, agent: &Agent, turn: &Turn, at: i64) -> Result<(), String> {
        self.may_turn(agent, turn.turn)?;
        self.spend += turn.spend;
        self.steps = self.steps.saturating_add(1);
        self.last_request = Some(turn.request.clone());
        match &turn.outcome {
            TurnOutcome::Failed { error } => self.end = Some(End::Failed { error: error.clone() }),
            TurnOutcome::Answer { text, calls, repair, output, opaque } => {
                if !calls.is_empty() && (repair.is_some() || output.is_some()) {
                    return Err("a turn with calls is neither refused nor final".to_owned());
                }
                if let Some(call) =
                    calls.iter().find(|c| c.rejected.is_none() && agent.tool_index(&c.name).is_none())
                {
                    return Err(format!("the agent has no tool `{}`", call.name));
                }
                if repair.is_some() {
                    self.repairs += 1;
                } else if calls.is_empty() {
                    let output = output.clone().unwrap_or_else(|| Value::String(text.clone()));
                    self.end = Some(End::Completed { output });
                } else {
                    self.repairs = 0;
                }
                let parts = TurnParts {
                    number: turn.turn,
                    text: text.clone(),
                    calls: calls.clone(),
                    repair: repair.clone(),
                    opaque: opaque.clone(),
                };
                self.push_turn(agent, parts, at);
            }
        }
        Ok(())
    }

    fn apply_started(
        &mut self,
        agent: &Agent,
        started: &CallStarted,
        epoch: u32,
        at: i64,
    ) -> Result<(), String> {
        let call = self.call_mut(started.step).ok_or_else(|| no_call(started.step))?;
        if call.status != CallStatus::Ready || call.attempt != started.attempt {
            return Err(format!("call {} is not ready for attempt {}", started.step, started.attempt));
        }
        let tool = call.tool.and_then(|t| agent.tool(t)).ok_or_else(|| no_call(started.step))?;
        match started.child {
            Some(child) if tool.source.builtin() == Some(RUN_AGENT) => {
                call.status = CallStatus::Waiting(Wait {
                    kind: WaitKind::Child,
                    since: at,
                    expires_at: None,
                    child: Some(child),
                });
                self.unconfirmed.push(started.step);
            }
            None if tool.effect == Effect::Once => call.status = CallStatus::Started { epoch },
            _ => return Err(format!("call {} is neither `once` nor a child", started.step)),
        }
        Ok(())
    }

    fn apply_ended(&mut self, agent: &Agent, ended: &CallEnded) -> Result<(), String> {
        let call = self.call_mut(ended.step).ok_or_else(|| no_call(ended.step))?;
        let once = call.tool.and_then(|t| agent.tool(t)).is_some_and(|t| t.effect == Effect::Once);
        let fits = match call.status {
            CallStatus::Started { .. } => true,
            CallStatus::Ready => !once || planted(Fault::StartedSkipped),
            CallStatus::Ended(_) => planted(Fault::DuplicateRecorded),
            _ => false,
        };
        if !fits {
            return Err(format!("call {} was not being performed", ended.step));
        }
        self.end_call(agent, ended.step, ended.outcome.clone())
    }

    fn end_call(&mut self, agent: &Agent, step: StepId, outcome: CallOutcome) -> Result<(), String> {
        if agent.kind() == AgentKind::Tool {
            self.end = Some(end_of_tool(&outcome));
        }
        self.call_mut(step).ok_or_else(|| no_call(step))?.status = CallStatus::Ended(outcome);
        Ok(())
    }

    fn apply_received(&mut self, agent: &Agent, received: &Received, at: i64) -> Result<(), String> {
        let Received { message, step } = received;
        let step = *step;
        if self.consumed.contains(&message.id) {
            return Err(format!("message {} was consumed before", message.id));
        }
        if message.body.step().is_some_and(|addressed| addressed != step) {
            return Err(format!("message {} is for another step than {step}", message.id));
        }
        let (call, _, arguments) = self.call(step).ok_or_else(|| no_call(step))?;
        let arguments = arguments.clone();
        let waits_for = match &call.status {
            CallStatus::Waiting(wait) => Some(wait.kind),
            CallStatus::Uncertain { .. } => Some(WaitKind::Uncertain),
            _ => None,
        };
        if waits_for != Some(message.body.ends()) {
            return Err(format!("call {step} does not wait for message {}", message.id));
        }
        let child = match &call.status {
            CallStatus::Waiting(wait) => wait.child,
            _ => None,
        };
        let tool = call.tool.and_then(|t| agent.tool(t)).ok_or_else(|| no_call(step))?;
        match &message.body {
            InboxBody::Signal { payload, .. } => {
                self.end_call(agent, step, CallOutcome::Ok { content: payload.clone() })?;
            }
            InboxBody::Input { value, .. } => {
                self.end_call(agent, step, CallOutcome::Ok { content: value.clone() })?;
            }
            InboxBody::Approval { decision: ApprovalDecision::Reject { reason }, .. } => {
                let reason = reason.as_deref().unwrap_or("no reason was given");
                let message = format!("a person did not agree to this call: {reason}");
                self.end_call(agent, step, CallOutcome::Error { code: "rejected".to_owned(), message })?;
            }
            InboxBody::Approval { decision, .. } => {
                let edited = match decision {
                    ApprovalDecision::Edit { arguments } => Some(arguments.clone()),
                    _ => None,
                };
                let status = begin(tool, edited.as_ref().unwrap_or(&arguments), at);
                let call = self.call_mut(step).ok_or_else(|| no_call(step))?;
                call.edited = edited;
                match status {
                    CallStatus::Ended(outcome) => self.end_call(agent, step, outcome)?,
                    status => {
                        call.status = status;
                        self.unconfirmed.push(step);
                    }
                }
            }
            InboxBody::Resolve { decision: ResolveDecision::Done { result }, .. } => {
                self.end_call(agent, step, CallOutcome::Ok { content: result.clone() })?;
            }
            InboxBody::Resolve { decision: ResolveDecision::NotDone, .. } => {
                let call = self.call_mut(step).ok_or_else(|| no_call(step))?;
                call.attempt = call.attempt.saturating_add(1);
                call.status = CallStatus::Ready;
            }
            InboxBody::Resolve { decision: ResolveDecision::Cancel, by, .. } => {
                let by = by.as_deref().unwrap_or("a person");
                let message = format!("{by} cancelled it because the outcome of call {step} is unknown");
                self.end = Some(End::Cancelled { error: TaskError::new(codes::CANCELLED, message) });
            }
            InboxBody::ChildEnded { child: ended, end, spend, .. } => {
                if child != Some(*ended) {
                    return Err(format!("task {ended} is not the child of call {step}"));
                }
                if !planted(Fault::ChildSpendDropped) {
                    self.spend += *spend;
                }
                let outcome = match end {
                    End::Completed { output } => CallOutcome::Ok { content: output.clone() },
                    End::Failed { error } => CallOutcome::Error {
                        code: "child_failed".to_owned(),
                        message: format!("the agent failed ({}): {}", error.code, error.message),
                    },
                    End::Cancelled { error } => CallOutcome::Error {
                        code: "child_cancelled".to_owned(),
                        message: format!("the agent's task was cancelled: {}", error.message),
                    },
                };
                self.end_call(agent, step, outcome)?;
            }
        }
        if !planted(Fault::ConsumedForgotten) {
            self.consumed.insert(message.id);
        }
        Ok(())
    }

    fn apply_timer(&mut self, agent: &Agent, step: StepId) -> Result<(), String> {
        let (call, written, _) = self.call(step).ok_or_else(|| no_call(step))?;
        let CallStatus::Waiting(Wait { kind, expires_at: Some(_), .. }) = &call.status else {
            return Err(format!("call {step} does not wait for a time"));
        };
        let outcome = if *kind == WaitKind::Timer {
            CallOutcome::Ok { content: json!({ "slept_seconds": written.arguments.get("seconds") }) }
        } else {
            let message = format!("nothing came in time for `{}`", written.name);
            CallOutcome::Error { code: "timeout".to_owned(), message }
        };
        self.end_call(agent, step, outcome)
    }

    /// Corrects the beginnings of waits once the store has said at what time their entries were committed.
    pub fn confirm(&mut self, at: i64) {
        let planned_at = self.last_at;
        let late = at.saturating_sub(planned_at);
        for step in std::mem::take(&mut self.unconfirmed) {
            if let Some(call) = self.call_mut(step)
                && let CallStatus::Waiting(wait) = &mut call.status
                && wait.since == planned_at
            {
                wait.since = at;
                wait.expires_at = wait.expires_at.map(|t| t.saturating_add(late));
            }
        }
        self.last_at = at.max(planned_at);
    }
}

pub(super) fn end_of_tool(outcome: &CallOutcome) -> End {
    match outcome {
        CallOutcome::Ok { content } => End::Completed { output: content.clone() },
        CallOutcome::Error { code, message } => {
            End::Failed { error: TaskError::new(codes::TOOL_FAILED, format!("{code}: {message}")) }
        }
    }
}

fn no_call(step: StepId) -> String {
    format!("there is no call {step}")
}
