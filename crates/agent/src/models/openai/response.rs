//! From chunks, or one whole answer, to what was answered. A whole answer differs from a chunk in one name: `message`
//! for `delta`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use agenticai_domain::outcome::{Finish, RawCall};
use agenticai_domain::usage::Usage;

use super::super::answer::Gathered;
use super::super::fault::{Fault, Reported};
use super::super::price::Counted;
use super::super::text::Text;

/// Reads one answer.
#[derive(Default)]
pub(in super::super) struct Reading {
    /// For each call, in order, the index that the provider gave it.
    indexes: Vec<u32>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<Tokens>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallDelta<'a>>>,
    // Thoughts: not kept, but a sign of life.
    #[serde(default)]
    reasoning_content: Option<IgnoredAny>,
    #[serde(default)]
    reasoning: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct CallDelta<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<FunctionDelta<'a>>,
}

#[derive(Deserialize)]
struct FunctionDelta<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl Reading {
    /// Takes one event of a stream, or a whole answer.
    pub(in super::super) fn take(&mut self, data: &[u8], into: &mut Gathered) -> Result<(), Fault> {
        if data.trim_ascii() == b"[DONE]" {
            into.done = true;
            return Ok(());
        }
        let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|e| Fault::garbage(&e))?;
        // Seldom: an answer has choices or usage.
        if (chunk.error.is_some() || (chunk.choices.is_none() && chunk.usage.is_none()))
            && let Some(error) = Reported::find(data)
        {
            return Err(error.in_stream());
        }
        if let Some(tokens) = chunk.usage {
            into.understood = true;
            into.usage = Some(tokens.counted());
        }
        for choice in chunk.choices.into_iter().flatten() {
            into.understood = true;
            if choice.index.unwrap_or(0) != 0 {
                continue;
            }
            if let Some(delta) = choice.delta {
                self.delta(delta, false, into);
            }
            if let Some(message) = choice.message {
                self.delta(message, true, into);
            }
            if let Some(reason) = choice.finish_reason {
                into.begun = true;
                into.finish = Some(finish(&reason)?);
            }
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta<'_>, whole: bool, into: &mut Gathered) {
        into.begun |= delta.reasoning_content.is_some() || delta.reasoning.is_some();
        for (words, all) in [(delta.content, &mut into.text), (delta.refusal, &mut into.refusal)] {
            if let Some(words) = words {
                into.begun |= !words.is_empty();
                all.push_str(&words);
            }
        }
        for call in delta.tool_calls.into_iter().flatten() {
            into.begun = true;
            let at = if whole { None } else { self.place(&call, into) };
            let at = at.unwrap_or_else(|| self.begin(call.index, into));
            let Some(known) = into.calls.get_mut(at) else { continue };
            if let Some(id) = call.id.filter(|id| !id.is_empty()) {
                known.id = id.0.into_owned();
            }
            let Some(function) = call.function else { continue };
            // Some servers repeat the name in every piece.
            if let Some(name) = function.name.filter(|_| known.name.is_empty()) {
                known.name = name.0.into_owned();
            }
            if let Some(arguments) = function.arguments {
                known.arguments.push_str(&arguments);
            }
        }
    }

    /// The call that a piece belongs to; none where it begins one. Pieces name their call by index; servers that give
    /// none, or 0 to all, tell a new call by its new id, or at least by its name.
    fn place(&self, call: &CallDelta<'_>, into: &Gathered) -> Option<usize> {
        let id = call.id.as_deref().filter(|id| !id.is_empty());
        let at = match call.index {
            Some(index) => self.indexes.iter().rposition(|i| *i == index)?,
            None => self.indexes.len().checked_sub(1)?,
        };
        let known = into.calls.get(at)?;
        let named =
            call.function.as_ref().is_some_and(|f| f.name.as_deref().is_some_and(|name| !name.is_empty()));
        match id {
            Some(id) => (known.id == id || known.id.is_empty()).then_some(at),
            None => (call.index.is_some() || !named).then_some(at),
        }
    }

    fn begin(&mut self, index: Option<u32>, into: &mut Gathered) -> usize {
        self.indexes.push(index.unwrap_or(u32::MAX));
        into.calls.push(RawCall { id: String::new(), name: String::new(), arguments: String::new() });
        into.calls.len() - 1
    }
}

impl Tokens {
    fn counted(&self) -> Counted {
        let cached = self.prompt_tokens_details.as_ref().and_then(|d| d.cached_tokens).unwrap_or(0);
        let reasoning = self.completion_tokens_details.as_ref().and_then(|d| d.reasoning_tokens).unwrap_or(0);
        Counted {
            usage: Usage {
                input_tokens: self.prompt_tokens.unwrap_or(0),
                output_tokens: self.completion_tokens.unwrap_or(0),
                cached_tokens: cached,
                reasoning_tokens: reasoning,
            },
            cache_write_tokens: 0,
        }
    }
}

fn finish(reason: &str) -> Result<Finish, Fault> {
    Ok(match reason {
        "length" => Finish::Length,
        "content_filter" => Finish::Refused,
        // Said by routers that stand before several providers, when theirs failed half way.
        "error" => return Err(Fault::passing("the provider ended its answer with `finish_reason: error`")),
        // `stop`, `tool_calls`, `function_call`, and what others call the same.
        _ => Finish::Stop,
    })
}
