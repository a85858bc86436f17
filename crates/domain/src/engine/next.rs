//! What follows from a state: an entry that needs nobody, effects to perform, or nothing until something happens.

use uuid::Uuid;

use super::MAX_DEPTH;
use super::agent::Agent;
use super::apply::end_of_tool;
use super::begin::RUN_AGENT;
use super::context::Context;
use super::fault::{Fault, planted};
use super::state::{CallState, CallStatus, State};
use crate::ids::{StepId, TaskId};
use crate::inbox::{InboxBody, InboxMessage};
use crate::journal::{
    CallEnded, CallOutcome, CallStarted, CallUncertain, Ended, Entry, Received, TimerFired,
};
use crate::spec;
use crate::task::{End, TaskError, WaitKind, codes};

/// Something to be performed. It is wanted as long as the state says so; a worker starts what is not yet in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the model for a turn.
    Model {
        /// The turn.
        turn: u32,
    },
    /// Perform a tool call; its arguments are [`State::call`].
    Tool {
        /// The call.
        step: StepId,
        /// Index of the tool in the agent version.
        tool: usize,
        /// The journaled attempt.
        attempt: u32,
    },
    /// Look up the agent that a call of `run_agent` names.
    Child {
        /// The call.
        step: StepId,
        /// The agent's name or id.
        agent: String,
    },
}

impl Effect {
    /// The step that it performs.
    pub fn step(&self) -> StepId {
        match self {
            Self::Model { turn } => StepId::model(*turn),
            Self::Tool { step, .. } | Self::Child { step, .. } => *step,
        }
    }
}

/// See the module.
pub(super) enum Next {
    /// This entry follows without anybody's help.
    Journal(Entry),
    /// These effects are wanted; empty: nothing can be done until something happens.
    Perform(Vec<Effect>),
    /// The task has ended.
    Ended,
}

impl State {
    pub(super) fn next(&self, cx: &Context<'_>) -> Next {
        if self.end.is_some() {
            return Next::Ended;
        }
        if cx.task.deadline_at.is_some_and(|deadline| cx.now >= deadline) {
            let message = "the time of the task's `timeout_seconds` is over";
            return fail(codes::DEADLINE_EXCEEDED, message.to_owned());
        }
        let limits = &cx.agent.version().spec.limits;
        if self.steps > limits.max_steps && !planted(Fault::LimitsIgnored) {
            return fail(codes::LIMIT_EXCEEDED, too_many_steps(limits.max_steps));
        }
        let mut effects = Vec::new();
        let mut open = false;
        for (step, call) in self.open_calls() {
            open = true;
            match self.next_of_call(cx, step, call) {
                Some(Next::Journal(entry)) => return Next::Journal(entry),
                Some(Next::Perform(mut wanted)) => effects.append(&mut wanted),
                Some(Next::Ended) | None => {}
            }
        }
        if open {
            return Next::Perform(effects);
        }
        match cx.agent.kind() {
            // The call was refused before it began: its entry is the end itself.
            spec::AgentKind::Tool => {
                let outcome = self.turns.first().and_then(|t| t.states.first()).map(|call| &call.status);
                let end = match outcome {
                    Some(CallStatus::Ended(outcome)) => end_of_tool(outcome),
                    _ => End::Failed { error: TaskError::new(codes::TOOL_FAILED, "the agent has no tool") },
                };
                Next::Journal(Entry::Ended(Ended { end }))
            }
            spec::AgentKind::React => self.next_turn(limits),
        }
    }

    fn next_turn(&self, limits: &spec::Limits) -> Next {
        if !planted(Fault::LimitsIgnored) {
            if self.steps >= limits.max_steps {
                return fail(codes::LIMIT_EXCEEDED, too_many_steps(limits.max_steps));
            }
            let tokens = self.spend.usage.total();
            if let Some(max) = limits.max_tokens
                && tokens >= max
            {
                let message = format!("{tokens} tokens were used and `limits.max_tokens` is {max}");
                return fail(codes::LIMIT_EXCEEDED, message);
            }
            if let Some(max) = limits.max_cost_usd {
                match self.spend.cost {
                    None => {
                        let message = "`limits.max_cost_usd` is set and the model's price is unknown: add a row to \
                                       `prices` in the configuration";
                        return fail(codes::PRICE_UNKNOWN, message.to_owned());
                    }
                    // A limit of 0 lets models through that cost nothing.
                    Some(cost) if cost.as_usd() > max || (max > 0.0 && cost.as_usd() >= max) => {
                        let message =
                            format!("${:.6} were spent and `limits.max_cost_usd` is {max}", cost.as_usd());
                        return fail(codes::LIMIT_EXCEEDED, message);
                    }
                    Some(_) => {}
                }
            }
        }
        Next::Perform(vec![Effect::Model { turn: self.turns.len() as u32 + 1 }])
    }

    fn next_of_call(&self, cx: &Context<'_>, step: StepId, call: &CallState) -> Option<Next> {
        match &call.status {
            CallStatus::Ended(_) => None,
            CallStatus::Ready => Some(self.next_of_ready(cx, step, call)),
            CallStatus::Started { epoch } => {
                let tool = call.tool?;
                let lost = *epoch < cx.epoch || planted(Fault::EpochIgnored);
                if lost && !planted(Fault::UncertainRepeated) {
                    return Some(Next::Journal(Entry::CallUncertain(CallUncertain {
                        step,
                        attempt: call.attempt,
                        reason: "the worker that sent it was lost before an answer was journaled".to_owned(),
                    })));
                }
                Some(Next::Perform(vec![Effect::Tool { step, tool, attempt: call.attempt }]))
            }
            CallStatus::Waiting(wait) => {
                if let Some(message) = self.message_for(cx.inbox, step, wait.kind) {
                    return Some(received(message, step));
                }
                let due = wait.expires_at.is_some_and(|at| cx.now >= at || planted(Fault::TimerEarly));
                due.then_some(Next::Journal(Entry::TimerFired(TimerFired { step })))
            }
            CallStatus::Uncertain { .. } => {
                self.message_for(cx.inbox, step, WaitKind::Uncertain).map(|message| received(message, step))
            }
        }
    }

    fn next_of_ready(&self, cx: &Context<'_>, step: StepId, call: &CallState) -> Next {
        let Some((index, tool)) = call.tool.and_then(|index| Some((index, cx.agent.tool(index)?))) else {
            return Next::Perform(Vec::new());
        };
        if tool.source.builtin() == Some(RUN_AGENT) {
            if cx.task.depth + 1 >= MAX_DEPTH {
                let message = format!("agents may call agents {MAX_DEPTH} deep and no deeper");
                return Next::Journal(refused(step, codes::TOO_DEEP, message));
            }
            let named = self.call(step).and_then(|(_, _, arguments)| arguments.get("agent")?.as_str());
            return match named {
                Some(agent) => Next::Perform(vec![Effect::Child { step, agent: agent.to_owned() }]),
                None => Next::Journal(refused(step, "invalid_call", "`agent` must be a name".to_owned())),
            };
        }
        if tool.effect == spec::Effect::Once && !planted(Fault::StartedSkipped) {
            return Next::Journal(Entry::CallStarted(CallStarted {
                step,
                attempt: call.attempt,
                child: None,
            }));
        }
        Next::Perform(vec![Effect::Tool { step, tool: index, attempt: call.attempt }])
    }

    /// The oldest message that ends the wait and was not taken yet.
    fn message_for<'a>(
        &self,
        inbox: &'a [InboxMessage],
        step: StepId,
        kind: WaitKind,
    ) -> Option<&'a InboxMessage> {
        inbox.iter().find(|message| {
            let fits = match &message.body {
                InboxBody::Signal { name, .. } => {
                    kind == WaitKind::Signal && self.signal_name(step).as_deref() == Some(name)
                }
                body => body.ends() == kind && body.step() == Some(step),
            };
            fits && !self.consumed.contains(&message.id)
        })
    }

    pub(super) fn signal_name(&self, step: StepId) -> Option<String> {
        let (_, _, arguments) = self.call(step)?;
        Some(arguments.get("name")?.as_str()?.to_owned())
    }
}

/// The id of the child task of a call: the same however often its creation is tried.
pub(super) fn child_id(task: TaskId, step: StepId) -> TaskId {
    TaskId(Uuid::new_v5(&task.0, step.to_string().as_bytes()))
}

fn received(message: &InboxMessage, step: StepId) -> Next {
    Next::Journal(Entry::Received(Received { message: message.clone(), step }))
}

fn refused(step: StepId, code: &str, message: String) -> Entry {
    let outcome = CallOutcome::Error { code: code.to_owned(), message };
    Entry::CallEnded(CallEnded { step, outcome, attempts: 0, took_ms: 0 })
}

fn fail(code: &str, message: String) -> Next {
    Next::Journal(Entry::Ended(Ended { end: End::Failed { error: TaskError::new(code, message) } }))
}

fn too_many_steps(max: u32) -> String {
    format!("the task needs more than the {max} steps of `limits.max_steps`")
}

/// Whether a call looks up an agent: used by the recorder of outcomes.
pub(super) fn is_child_call(agent: &Agent, call: &CallState) -> bool {
    call.tool.and_then(|index| agent.tool(index)).is_some_and(|tool| tool.source.builtin() == Some(RUN_AGENT))
}
