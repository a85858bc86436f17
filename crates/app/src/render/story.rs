//! From events to what is shown: a pure function with a memory.

use std::collections::BTreeMap;

use serde_json::Value;

use agenticai_domain::ids::StepId;
use agenticai_domain::inbox::{ApprovalDecision, InboxBody, ResolveDecision};
use agenticai_domain::journal::{CallOutcome, Entry, Received, ToolCall, Turn, TurnOutcome};
use agenticai_domain::task::WaitingFor;
use agenticai_wire::{TokenEvent, UsageView};

use super::format::{clip, cost, duration, tokens};
use super::style::Style;
use super::task::wait_line;
use crate::client::Event;

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// A line about something that has happened.
    Line(String),
    /// A piece of an answer, as it comes.
    Piece(String),
    /// The pieces so far count no more: what follows is another answer.
    Void,
    /// What is going on.
    Busy(String),
    /// Nothing is going on.
    Idle,
}

/// Tells what happens to one task.
pub struct Story {
    style: Style,
    /// The model that the agent asks for.
    model: Option<String>,
    running: BTreeMap<StepId, String>,
    calls: BTreeMap<StepId, (String, Value)>,
    answer: Option<Answer>,
    /// What the task waits for, as of the last event.
    pub waiting: Vec<WaitingFor>,
    told_provider: Option<String>,
}

/// The answer that streams in.
struct Answer {
    step: StepId,
    epoch: u32,
    attempt: u32,
    /// Characters shown.
    shown: u64,
}

const WIDTH: usize = 100;

impl Story {
    /// A story that begins. `model` is the one that the agent asks for.
    pub fn new(style: Style, model: Option<String>) -> Self {
        Self {
            style,
            model,
            running: BTreeMap::new(),
            calls: BTreeMap::new(),
            answer: None,
            waiting: Vec::new(),
            told_provider: None,
        }
    }

    /// What the next event shows.
    pub fn tell(&mut self, event: &Event) -> Vec<Show> {
        let mut shows = Vec::new();
        match event {
            Event::Entry(view) => {
                // An entry that this program does not know comes from a newer server: it shows what it can.
                if let Ok(entry) = serde_json::from_value::<Entry>(view.entry.clone()) {
                    self.entry(&entry, &mut shows);
                }
            }
            Event::Token(token) => self.token(token, &mut shows),
            Event::Started(started) => {
                self.running.insert(started.step, started.name.clone());
            }
            Event::Status(status) => {
                self.waiting = status.waiting_for.clone();
            }
            Event::Lost => shows.push(Show::Line(self.style.warn("connection lost; trying again"))),
            Event::Back => shows.push(Show::Line(self.style.dim("connected again"))),
            Event::End(_) => {
                shows.push(Show::Idle);
                return shows;
            }
        }
        shows.push(self.busy());
        shows
    }

    fn busy(&self) -> Show {
        if !self.running.is_empty() {
            let names: Vec<String> =
                self.running.iter().map(|(step, name)| format!("{step} {name}")).collect();
            return Show::Busy(names.join(", "));
        }
        match self.waiting.first() {
            Some(wait) => Show::Busy(wait_line(wait)),
            None => Show::Busy("working".to_owned()),
        }
    }

    fn token(&mut self, token: &TokenEvent, shows: &mut Vec<Show>) {
        let named = (token.step, token.epoch, token.attempt);
        match &self.answer {
            Some(answer) if named < (answer.step, answer.epoch, answer.attempt) => return,
            Some(answer) if named == (answer.step, answer.epoch, answer.attempt) => {}
            Some(_) => {
                shows.push(Show::Void);
                self.answer = None;
            }
            None => {}
        }
        let answer = self.answer.get_or_insert(Answer {
            step: token.step,
            epoch: token.epoch,
            attempt: token.attempt,
            shown: 0,
        });
        let end = token.offset + token.text.chars().count() as u64;
        if end <= answer.shown {
            return;
        }
        if token.offset > answer.shown {
            // This reader came late: what it missed stands in the answer at the end.
            shows.push(Show::Piece("…".to_owned()));
        }
        let known = usize::try_from(answer.shown.saturating_sub(token.offset)).unwrap_or(0);
        answer.shown = end;
        let fresh: String =
            token.text.chars().skip(known).filter(|c| !c.is_control() || "\n\t".contains(*c)).collect();
        shows.push(Show::Piece(fresh));
    }

    fn entry(&mut self, entry: &Entry, shows: &mut Vec<Show>) {
        match entry {
            Entry::Turn(turn) => self.turn(turn, shows),
            Entry::CallStarted(started) => {
                let name = self.calls.get(&started.step).map_or("tool", |(name, _)| name).to_owned();
                self.running.insert(started.step, name);
                if let Some(child) = started.child {
                    shows.push(
                        self.line(started.step, &format!("{} · task {child}", self.call_text(started.step))),
                    );
                }
            }
            Entry::CallEnded(ended) => {
                self.running.remove(&ended.step);
                let what = match &ended.outcome {
                    CallOutcome::Ok { content } => format!("→ {}", clip(content, WIDTH)),
                    CallOutcome::Error { code, message } => {
                        let message = clip(&Value::from(message.as_str()), WIDTH);
                        self.style.warn(&format!("→ {code}: {message}"))
                    }
                };
                let tail =
                    self.style.dim(&format!("{}{}", duration(ended.took_ms), attempts(ended.attempts)));
                shows.push(self.line(ended.step, &format!("{} {what}  {tail}", self.call_text(ended.step))));
            }
            Entry::TurnCut(cut) => {
                let step = StepId::model(cut.turn);
                self.running.remove(&step);
                shows.push(
                    self.line(step, &self.style.warn(&format!("cut off: {}; it is asked again", cut.reason))),
                );
            }
            Entry::CallUncertain(uncertain) => {
                self.running.remove(&uncertain.step);
                let why = clip(&Value::from(uncertain.reason.as_str()), WIDTH);
                let text = format!("{} outcome unknown: {why}", self.call_text(uncertain.step));
                shows.push(self.line(uncertain.step, &self.style.warn(&text)));
            }
            Entry::Received(received) => {
                let Received { message, step } = received;
                self.waiting.retain(|wait| wait.step != *step);
                if let InboxBody::Approval { decision: ApprovalDecision::Edit { arguments }, .. } =
                    &message.body
                    && let Some((_, sent)) = self.calls.get_mut(step)
                {
                    *sent = arguments.clone();
                }
                shows.push(self.line(*step, &self.style.dim(&received_text(&message.body))));
            }
            Entry::TimerFired(fired) => {
                self.waiting.retain(|wait| wait.step != fired.step);
                let text = format!("{} → the time has come", self.call_text(fired.step));
                shows.push(self.line(fired.step, &text));
            }
            Entry::Ended(_) => {}
        }
    }

    fn turn(&mut self, turn: &Turn, shows: &mut Vec<Show>) {
        let step = StepId::model(turn.turn);
        self.running.remove(&step);
        if let Some(line) = self.provider_line(&turn.request.provider, &turn.request.model) {
            shows.push(Show::Line(line));
        }
        let (text, calls, repair) = match &turn.outcome {
            TurnOutcome::Answer { text, calls, repair, .. } => (text, calls.as_slice(), repair.as_deref()),
            TurnOutcome::Failed { error } => {
                shows.push(self.line(step, &self.style.bad(&format!("{}: {}", error.code, error.message))));
                return;
            }
        };
        let is_last = calls.is_empty() && repair.is_none();
        let streamed = self.answer.take().is_some_and(|answer| answer.step == step);
        if !is_last && !streamed && !text.trim().is_empty() {
            shows.push(self.line(step, &clip(&Value::from(text.as_str()), 3 * WIDTH)));
        }
        let usage = UsageView {
            input_tokens: turn.spend.usage.input_tokens,
            output_tokens: turn.spend.usage.output_tokens,
            cached_tokens: turn.spend.usage.cached_tokens,
            reasoning_tokens: turn.spend.usage.reasoning_tokens,
            cost_usd: turn.spend.cost.map(|cost| cost.as_usd()),
        };
        let mut tail = format!("{} · {}{}", duration(turn.took_ms), tokens(&usage), attempts(turn.attempts));
        if usage.cost_usd.is_some_and(|usd| usd > 0.0) {
            tail.push_str(&format!(" · {}", cost(usage.cost_usd)));
        }
        shows.push(self.line(step, &format!("{}  {}", turn.request.model, self.style.dim(&tail))));
        if let Some(repair) = repair {
            let why = clip(&Value::from(repair), 2 * WIDTH);
            shows.push(self.line(step, &self.style.warn(&format!("asked again: {why}"))));
        }
        if !is_last {
            shows.push(Show::Void);
        }
        self.calls(turn.turn, calls, shows);
    }

    fn calls(&mut self, turn: u32, calls: &[ToolCall], shows: &mut Vec<Show>) {
        for (index, call) in (0..).zip(calls) {
            let step = StepId::call(turn, index);
            self.calls.insert(step, (call.name.clone(), call.arguments.clone()));
            if let Some(why) = &call.rejected {
                let why = clip(&Value::from(why.as_str()), WIDTH);
                let text = format!("{} not performed: {why}", self.call_text(step));
                shows.push(self.line(step, &self.style.warn(&text)));
            }
        }
    }

    /// Said once per provider: who answers, where that is not what the name promises.
    fn provider_line(&mut self, provider: &str, model: &str) -> Option<String> {
        let asked = self.model.as_deref().unwrap_or(model);
        if own_provider(asked) == Some(provider) && asked == model
            || self.told_provider.as_deref() == Some(provider)
        {
            return None;
        }
        self.told_provider = Some(provider.to_owned());
        let text = match provider {
            "practice" => format!("{asked} is answered by the built-in practice model"),
            _ if asked == model && own_provider(asked).is_none() => return None,
            _ => format!("{asked} is served by {provider} as {model}"),
        };
        Some(self.style.warn(&text))
    }

    fn call_text(&self, step: StepId) -> String {
        self.calls.get(&step).map_or_else(
            || "call".to_owned(),
            |(name, arguments)| format!("{name} {}", clip(arguments, WIDTH)),
        )
    }

    fn line(&self, step: StepId, text: &str) -> Show {
        Show::Line(format!("{} {text}", self.style.bold(&format!("{:<4}", step.to_string()))))
    }
}

/// The provider that a model's name belongs to, where the name says so.
fn own_provider(model: &str) -> Option<&'static str> {
    let openai = ["gpt-", "chatgpt-", "o1", "o3", "o4"];
    if openai.iter().any(|prefix| model.starts_with(prefix)) {
        Some("openai")
    } else if model.starts_with("claude-") {
        Some("anthropic")
    } else if model == "practice" {
        Some("practice")
    } else {
        None
    }
}

fn attempts(attempts: u32) -> String {
    if attempts > 1 { format!(" · {attempts} attempts") } else { String::new() }
}

/// Who decided stands in the journal.
fn received_text(body: &InboxBody) -> String {
    match body {
        InboxBody::Signal { name, .. } => format!("event {name} has come"),
        InboxBody::Approval { decision, .. } => match decision {
            ApprovalDecision::Approve => "approved".to_owned(),
            ApprovalDecision::Edit { arguments } => format!("approved as {}", clip(arguments, WIDTH)),
            ApprovalDecision::Reject { .. } => "rejected".to_owned(),
        },
        InboxBody::Input { value, .. } => format!("answered: {}", clip(value, WIDTH)),
        InboxBody::Resolve { decision, .. } => match decision {
            ResolveDecision::Done { .. } => "resolved: it happened".to_owned(),
            ResolveDecision::NotDone => "resolved: it did not happen".to_owned(),
            ResolveDecision::Cancel => "resolved: cancel".to_owned(),
        },
        InboxBody::ChildEnded { child, end, .. } => format!("task {child} {}", end.status().as_str()),
    }
}

#[cfg(test)]
mod tests;
