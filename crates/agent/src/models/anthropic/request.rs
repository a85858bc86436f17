//! From a call to a body.
//!
//! The dialect differs from OpenAI's in its frame: instructions stand beside the conversation, and the conversation
//! alternates, so that all results of one turn, and what a user says after them, go into one user message.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Serialize, Serializer};
use serde_json::Value;

use agenticai_domain::conversation::{Message, PartRef};
use agenticai_domain::journal::ToolCall;
use agenticai_domain::spec::{ToolChoice, ToolDef};
use agenticai_domain::task::{Part, TaskError};

use super::super::content::{result_text, shown_arguments};
use super::super::request::{ModelCall, Wire, refused, unwritable};
use super::thoughts::{Thought, ThoughtBlock, recall};

/// The bound on an answer where a specification names none; the dialect wants one.
const MAX_TOKENS: u32 = crate::models::ASSUMED_OUTPUT_TOKENS;

/// The body of a request.
pub(in super::super) fn body(wire: Wire, model: &str, call: &ModelCall<'_>) -> Result<Vec<u8>, TaskError> {
    let mut system = String::new();
    let mut messages: Vec<Out<'_>> = Vec::with_capacity(call.messages.len());
    for message in &call.messages {
        match message {
            Message::System(text) => paragraph(&mut system, text),
            Message::User(parts) => {
                for part in parts {
                    add(&mut messages, "user", user_block(part)?);
                }
            }
            Message::Assistant { text, calls, opaque } => {
                add_answer(&mut messages, text, calls, recall(*opaque));
            }
            Message::ToolResult { call_id: id, content, is_error, .. } => {
                let block = Block::ToolResult {
                    tool_use_id: call_id(id),
                    content: result_text(content),
                    is_error: *is_error,
                };
                add(&mut messages, "user", Some(block));
            }
        }
    }
    if !messages.iter().any(|m| m.role == "user") {
        return Err(refused("the conversation has no words of a user: this provider needs some"));
    }
    if let Some(output) = call.output {
        let instruction = format!(
            "Give your final answer as one JSON value and nothing else: no words around it, no code fence. It must be \
             valid against this JSON Schema:\n{}",
            output.schema
        );
        paragraph(&mut system, &instruction);
    }
    let body = Body {
        model,
        max_tokens: call.model.max_output_tokens.unwrap_or(MAX_TOKENS),
        system: &system,
        messages,
        tools: Tools(call.tools),
        tool_choice: if call.tools.is_empty() { None } else { tool_choice(call) },
        temperature: call.model.temperature,
        output_config: call.model.reasoning_effort.as_deref().map(|effort| OutputConfig { effort }),
        stream: wire.streaming,
    };
    serde_json::to_vec(&body).map_err(unwritable)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    messages: Vec<Out<'a>>,
    #[serde(skip_serializing_if = "Tools::is_empty")]
    tools: Tools<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    stream: bool,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    effort: &'a str,
}

#[derive(Serialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Out<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, Value>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Cow<'a, str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    #[serde(untagged)]
    Thought(ThoughtBlock),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source<'a> {
    Url { url: &'a str },
    Base64 { media_type: &'a str, data: &'a str },
    Text { media_type: &'static str, data: String },
}

struct Tools<'a>(&'a [ToolDef]);

impl Tools<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Tool<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
            input_schema: &'a Value,
        }
        s.collect_seq(self.0.iter().map(|tool| Tool {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.parameters,
        }))
    }
}

fn paragraph(all: &mut String, text: &str) {
    if !all.is_empty() && !text.is_empty() {
        all.push_str("\n\n");
    }
    all.push_str(text);
}

/// Adds a block to the last message, if it has the same role, else to a new one.
fn add<'a>(messages: &mut Vec<Out<'a>>, role: &'static str, block: Option<Block<'a>>) {
    let Some(block) = block else { return };
    match messages.last_mut() {
        Some(last) if last.role == role => last.content.push(block),
        _ => messages.push(Out { role, content: vec![block] }),
    }
}

/// Adds an answer with every thought where it stood.
fn add_answer<'a>(
    messages: &mut Vec<Out<'a>>,
    mut text: &'a str,
    mut calls: &'a [ToolCall],
    thoughts: Vec<Thought>,
) {
    for thought in thoughts {
        let (said, unsaid) = text.split_at_checked(thought.text_before).unwrap_or((text, ""));
        let (called, uncalled) = calls.split_at_checked(thought.calls_before).unwrap_or((calls, &[]));
        add_spoken(messages, said, called);
        (text, calls) = (unsaid, uncalled);
        if text.trim().is_empty() && calls.is_empty() {
            // An answer that ends with a thought is refused by the provider.
            return;
        }
        add(messages, "assistant", Some(Block::Thought(thought.block)));
    }
    add_spoken(messages, text, calls);
}

fn add_spoken<'a>(messages: &mut Vec<Out<'a>>, text: &'a str, calls: &'a [ToolCall]) {
    add(messages, "assistant", words(text));
    for call in calls {
        let block = Block::ToolUse {
            id: call_id(&call.id),
            name: &call.name,
            input: shown_arguments(&call.arguments),
        };
        add(messages, "assistant", Some(block));
    }
}

/// Words as a block; blank ones are refused by the provider and say nothing.
fn words(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text { text })
}

fn user_block<'a>(part: &'a PartRef<'a>) -> Result<Option<Block<'a>>, TaskError> {
    match part {
        PartRef::Text(text) => Ok(words(text)),
        PartRef::Media(Part::Text { text }) => Ok(words(text)),
        PartRef::Media(Part::Image { url, data, media_type }) => {
            let source = image(url.as_deref(), data.as_deref(), media_type.as_deref())?;
            Ok(Some(Block::Image { source }))
        }
        PartRef::Media(Part::File { data, media_type, name }) => {
            Ok(Some(Block::Document { source: document(data, media_type)?, title: name.as_deref() }))
        }
    }
}

fn image<'a>(
    url: Option<&'a str>,
    data: Option<&'a str>,
    media_type: Option<&'a str>,
) -> Result<Source<'a>, TaskError> {
    match (url, data, media_type) {
        (Some(url), None, _) => Ok(Source::Url { url }),
        (None, Some(data), Some(media_type @ ("image/png" | "image/jpeg" | "image/gif" | "image/webp"))) => {
            Ok(Source::Base64 { media_type, data })
        }
        (None, Some(_), Some(other)) => Err(refused(format!(
            "a picture of type {other} cannot be sent to this provider: it takes PNG, JPEG, GIF and WebP"
        ))),
        (None, Some(_), None) => {
            Err(refused("a picture given as `data` needs its `media_type`, such as image/png"))
        }
        _ => Err(refused("a picture needs exactly one of `url` and `data`")),
    }
}

fn document<'a>(data: &'a str, media_type: &'a str) -> Result<Source<'a>, TaskError> {
    if media_type == "application/pdf" {
        return Ok(Source::Base64 { media_type, data });
    }
    if !media_type.starts_with("text/") && media_type != "application/json" {
        return Err(refused(format!(
            "a file of type {media_type} cannot be sent to this provider: it takes PDF and text"
        )));
    }
    let bytes = BASE64.decode(data).map_err(|e| refused(format!("a file's `data` is no base64: {e}")))?;
    let data = String::from_utf8(bytes)
        .map_err(|_| refused(format!("a file of type {media_type} must be UTF-8")))?;
    Ok(Source::Text { media_type: "text/plain", data })
}

/// Ids of calls that another provider made may hold what this one refuses.
fn call_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let mapped: String = id.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    Cow::Owned(if mapped.is_empty() { "_".to_owned() } else { mapped })
}

fn tool_choice(call: &ModelCall<'_>) -> Option<Choice> {
    match call.model.tool_choice {
        // Required for ever would forbid a final answer.
        Some(ToolChoice::Required) if call.turn == 1 => Some(Choice { kind: "any" }),
        Some(ToolChoice::None) => Some(Choice { kind: "none" }),
        _ => None,
    }
}
