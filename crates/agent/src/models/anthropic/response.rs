//! From events, or one whole message, to what was answered.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use agenticai_domain::outcome::{Finish, RawCall};
use agenticai_domain::usage::Usage;

use super::super::answer::Gathered;
use super::super::fault::{Fault, Reported};
use super::super::price::Counted;
use super::super::text::Text;
use super::thoughts::{Thought, ThoughtBlock, keep};

/// Reads one answer.
#[derive(Default)]
pub(in super::super) struct Reading {
    /// For each content block that is a call: the block's index, and the call's place.
    calls: Vec<(u32, usize)>,
    /// The thoughts, and the indexes of their content blocks.
    thoughts: Vec<(u32, Thought)>,
    /// Bytes of words and number of calls up to the newest thought.
    placed: (usize, usize),
    tokens: Tokens,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<Tokens>,
    // Of a whole message, whose fields stand at the top.
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
    #[serde(default)]
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
}

/// Reported in pieces: what the message begins with is corrected by what it ends with.
#[derive(Default, Clone, Copy, Deserialize)]
struct Tokens {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Default, Clone, Copy, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

impl Reading {
    /// Takes one event of a stream, or a whole message. Events and blocks of unknown types are passed over, as the
    /// vendor asks of its clients.
    pub(in super::super) fn take(&mut self, data: &[u8], into: &mut Gathered) -> Result<(), Fault> {
        let event: Event<'_> = serde_json::from_slice(data).map_err(|e| {
            Reported::find(data).map_or_else(|| Fault::garbage(&e), |error| error.in_stream())
        })?;
        match &*event.kind {
            "message_start" => {
                into.understood = true;
                if let Some(message) = event.message {
                    self.blocks(message.content, into);
                    self.count(message.usage, into);
                }
            }
            "content_block_start" => {
                into.begun = true;
                if let Some(block) = event.content_block {
                    self.block(event.index.unwrap_or(0), block, true, into);
                }
            }
            "content_block_delta" => {
                into.begun = true;
                if let Some(delta) = event.delta {
                    self.delta(event.index.unwrap_or(0), &delta, into);
                }
            }
            "message_delta" => {
                self.count(event.usage, into);
                if let Some(reason) = event.delta.and_then(|d| d.stop_reason) {
                    into.begun = true;
                    into.finish = Some(finish(&reason));
                }
            }
            "message_stop" => into.done = true,
            "error" => return Err(Reported::read(data).in_stream()),
            "message" => {
                into.understood = true;
                self.blocks(event.content, into);
                self.count(event.usage, into);
                into.finish = event.stop_reason.map(|reason| finish(&reason));
            }
            // `content_block_stop` and `ping` say nothing that is needed.
            _ => {}
        }
        Ok(())
    }

    /// The thoughts of the answer, as its next request needs them.
    pub(in super::super) fn opaque(&self) -> Option<Value> {
        keep(self.thoughts.iter().map(|(_, thought)| thought))
    }

    fn blocks(&mut self, blocks: Option<Vec<Block<'_>>>, into: &mut Gathered) {
        for (index, block) in blocks.into_iter().flatten().enumerate() {
            into.begun = true;
            self.block(u32::try_from(index).unwrap_or(u32::MAX), block, false, into);
        }
    }

    fn block(&mut self, index: u32, block: Block<'_>, streamed: bool, into: &mut Gathered) {
        match &*block.kind {
            "text" => into.text.push_str(block.text.as_deref().unwrap_or_default()),
            "tool_use" => {
                self.calls.push((index, into.calls.len()));
                let input = block.input.map(RawValue::get).unwrap_or_default();
                // In a stream the input begins as `{}` and comes in pieces that do not continue it.
                let arguments = if streamed && input.trim() == "{}" { "" } else { input };
                into.calls.push(RawCall {
                    id: owned(block.id),
                    name: owned(block.name),
                    arguments: arguments.to_owned(),
                });
            }
            "thinking" => {
                let (thinking, signature) = (owned(block.thinking), owned(block.signature));
                self.thought(index, ThoughtBlock::Thinking { thinking, signature }, into);
            }
            "redacted_thinking" => {
                self.thought(index, ThoughtBlock::RedactedThinking { data: owned(block.data) }, into);
            }
            // Blocks of the vendor's own tools, which are never asked for.
            _ => {}
        }
    }

    fn thought(&mut self, index: u32, block: ThoughtBlock, into: &Gathered) {
        let here = (into.text.len(), into.calls.len());
        let (text, calls) = std::mem::replace(&mut self.placed, here);
        let thought = Thought { text_before: here.0 - text, calls_before: here.1 - calls, block };
        self.thoughts.push((index, thought));
    }

    fn delta(&mut self, index: u32, delta: &Delta<'_>, into: &mut Gathered) {
        match delta.kind.as_deref() {
            Some("text_delta") => into.text.push_str(delta.text.as_deref().unwrap_or_default()),
            Some("input_json_delta") => {
                let place = self.calls.iter().rev().find(|(block, _)| *block == index);
                if let Some(call) = place.and_then(|(_, at)| into.calls.get_mut(*at)) {
                    call.arguments.push_str(delta.partial_json.as_deref().unwrap_or_default());
                }
            }
            Some("thinking_delta" | "signature_delta") => {
                let place = self.thoughts.iter_mut().rev().find(|(block, _)| *block == index);
                if let Some((_, Thought { block: ThoughtBlock::Thinking { thinking, signature }, .. })) =
                    place
                {
                    thinking.push_str(delta.thinking.as_deref().unwrap_or_default());
                    signature.push_str(delta.signature.as_deref().unwrap_or_default());
                }
            }
            // `citations_delta` and later ones.
            _ => {}
        }
    }

    fn count(&mut self, reported: Option<Tokens>, into: &mut Gathered) {
        let Some(new) = reported else { return };
        let tokens = &mut self.tokens;
        tokens.input_tokens = new.input_tokens.or(tokens.input_tokens);
        tokens.cache_creation_input_tokens =
            new.cache_creation_input_tokens.or(tokens.cache_creation_input_tokens);
        tokens.cache_read_input_tokens = new.cache_read_input_tokens.or(tokens.cache_read_input_tokens);
        tokens.output_tokens = new.output_tokens.or(tokens.output_tokens);
        tokens.output_tokens_details = new.output_tokens_details.or(tokens.output_tokens_details);
        into.usage = Some(tokens.counted());
    }
}

impl Tokens {
    /// The vendor counts what it read from its cache, what it wrote there and the rest apart; we count them together.
    fn counted(&self) -> Counted {
        let read = self.cache_read_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        Counted {
            usage: Usage {
                input_tokens: self.input_tokens.unwrap_or(0).saturating_add(read).saturating_add(written),
                output_tokens: self.output_tokens.unwrap_or(0),
                cached_tokens: read,
                reasoning_tokens: self.output_tokens_details.and_then(|d| d.thinking_tokens).unwrap_or(0),
            },
            cache_write_tokens: written,
        }
    }
}

fn owned(text: Option<Text<'_>>) -> String {
    text.map(|text| text.0.into_owned()).unwrap_or_default()
}

fn finish(reason: &str) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::Refused,
        // `end_turn`, `tool_use`, `stop_sequence`, `pause_turn`.
        _ => Finish::Stop,
    }
}
