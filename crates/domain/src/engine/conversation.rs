//! The conversation that a model is shown next, out of specification, input and state.

use std::borrow::Cow;

use serde_json::Value;

use super::agent::Agent;
use super::state::{CallStatus, State};
use crate::conversation::{Message, PartRef};
use crate::journal::CallOutcome;
use crate::task::{Content, Part, Role, TaskHead, TaskInput};

impl State {
    /// The messages that turn `turn` is asked with: everything before it. Turns that do not exist yet are simply not
    /// there, so that the newest request is `conversation(…, u32::MAX)`.
    pub fn conversation<'a>(&'a self, agent: &'a Agent, task: &'a TaskHead, turn: u32) -> Vec<Message<'a>> {
        let mut messages = Vec::with_capacity(2 + 2 * self.turns.len());
        if let Some(instructions) = &agent.version().spec.instructions {
            messages.push(Message::System(instructions));
        }
        push_input(&mut messages, &task.input);
        for turn in self.turns.iter().filter(|t| t.number < turn) {
            messages.push(Message::Assistant {
                text: &turn.text,
                calls: &turn.calls,
                opaque: turn.opaque.as_ref(),
            });
            for (call, state) in turn.calls.iter().zip(&turn.states) {
                let (content, is_error) = match &state.status {
                    CallStatus::Ended(CallOutcome::Ok { content }) => (Cow::Borrowed(content), false),
                    CallStatus::Ended(CallOutcome::Error { code, message }) => {
                        (Cow::Owned(Value::String(format!("error {code}: {message}"))), true)
                    }
                    // A turn is asked for only when all calls before it have ended.
                    _ => continue,
                };
                messages.push(Message::ToolResult { call_id: &call.id, name: &call.name, content, is_error });
            }
            if let Some(repair) = &turn.repair {
                messages.push(Message::User(vec![PartRef::Text(Cow::Borrowed(repair))]));
            }
        }
        messages
    }
}

fn push_input<'a>(messages: &mut Vec<Message<'a>>, input: &'a TaskInput) {
    match input {
        TaskInput::Text(text) => messages.push(Message::User(vec![PartRef::Text(Cow::Borrowed(text))])),
        TaskInput::Arguments(map) => {
            let text = serde_json::to_string(map).unwrap_or_default();
            messages.push(Message::User(vec![PartRef::Text(Cow::Owned(text))]));
        }
        TaskInput::Messages(given) => {
            for message in given {
                let parts = match &message.content {
                    Content::Text(text) => vec![PartRef::Text(Cow::Borrowed(text))],
                    Content::Parts(parts) => parts
                        .iter()
                        .map(|part| match part {
                            Part::Text { text } => PartRef::Text(Cow::Borrowed(text)),
                            media => PartRef::Media(media),
                        })
                        .collect(),
                };
                match message.role {
                    Role::User => messages.push(Message::User(parts)),
                    Role::System => messages.extend(texts(&message.content).map(Message::System)),
                    Role::Assistant => {
                        messages.extend(texts(&message.content).map(|text| Message::Assistant {
                            text,
                            calls: &[],
                            opaque: None,
                        }));
                    }
                }
            }
        }
    }
}

/// The text parts; system and assistant messages hold nothing else.
fn texts(content: &Content) -> impl Iterator<Item = &str> {
    let parts: Vec<&str> = match content {
        Content::Text(text) => vec![text],
        Content::Parts(parts) => parts
            .iter()
            .filter_map(|part| if let Part::Text { text } = part { Some(text.as_str()) } else { None })
            .collect(),
    };
    parts.into_iter()
}
