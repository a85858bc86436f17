//! The practice model: a rule-based stand-in for machines that have neither a key nor a server.
//!
//! It reads the last question, calls the tools that the question names (or the one that fits), with arguments by their
//! schemas, and then says what they answered. It knows no tool and no prompt: everything comes from words, numbers and
//! schemas. Without a tool that fits it says what it is, and what to set for a real model.

mod arithmetic;
mod choose;
mod conversation;
mod fill;
mod offers;
mod words;

use serde_json::Value;

use agenticai_domain::outcome::{ModelAnswer, RawCall};
use agenticai_domain::schema::Schema;

use conversation::{Conversation, Message, Tool};
use fill::Filler;
use words::Source;

/// Bound on what is repeated of a tool's result or of the question, in characters.
const REPEATED: usize = 600;

/// Answers the request in `body`.
pub(super) fn answer(body: &[u8], turn: u32) -> Result<ModelAnswer, String> {
    let mut conversation: Conversation = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let mut tools = conversation.take_tools();
    if conversation.tool_choice.as_deref() == Some("none") {
        tools.clear();
    }
    let (question, since) = conversation.last_question();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    let source = Source::read(&question, &names);
    let called: Vec<&str> =
        since.iter().flat_map(|m| &m.tool_calls).map(|call| call.function.name.as_str()).collect();
    let mut plan = choose::plan(&tools, &source);
    if plan.is_empty() && conversation.tool_choice.as_deref() == Some("required") {
        plan.extend(tools.first());
    }
    let next = plan.into_iter().find(|tool| !called.contains(&tool.name.as_str()));
    if let Some(tool) = next
        && let Some(call) = call(tool, &source, turn)
    {
        return Ok(ModelAnswer { calls: vec![call], ..ModelAnswer::default() });
    }
    let results = results(since);
    let text = match conversation.schema() {
        Some(schema) => shaped(schema, &question, &results, &names),
        None => spoken(&question, &results),
    };
    Ok(ModelAnswer { text, ..ModelAnswer::default() })
}

/// A call with arguments that the tool's schema accepts; nothing where the text offers none.
fn call(tool: &Tool, source: &Source, turn: u32) -> Option<RawCall> {
    let arguments = Filler::new(&tool.parameters, source).fill();
    let arguments = if arguments.is_object() { arguments } else { Value::Object(serde_json::Map::new()) };
    if Schema::compile(&tool.parameters).is_ok_and(|schema| schema.check(&arguments).is_err()) {
        return None;
    }
    Some(RawCall { id: format!("call_{turn}_0"), name: tool.name.clone(), arguments: arguments.to_string() })
}

/// What tools answered since the question: the tool's name and its words.
fn results(since: &[Message]) -> Vec<(String, String)> {
    let calls: Vec<&conversation::Call> = since.iter().flat_map(|m| &m.tool_calls).collect();
    since
        .iter()
        .filter(|m| m.role == "tool")
        .map(|m| {
            let name = calls
                .iter()
                .rev()
                .find(|call| call.id == m.tool_call_id)
                .map(|call| call.function.name.as_str());
            (name.unwrap_or("tool").to_owned(), m.text())
        })
        .collect()
}

fn spoken(question: &str, results: &[(String, String)]) -> String {
    if results.is_empty() {
        return format!(
            "This is the built-in practice model: it calls tools by rules and is no language model, so it has no \
             answer to “{}”. Set OPENAI_API_KEY, ANTHROPIC_API_KEY or AGENTICAI_MODEL_URL for a real model.",
            clip(question.trim())
        );
    }
    let sentences: Vec<String> = results
        .iter()
        .map(|(name, text)| match text.strip_prefix("Error: ") {
            Some(why) => format!("The tool `{name}` failed: {}.", clip(why.trim_end_matches('.'))),
            None => format!("The answer of `{name}` is {}.", clip(text.trim().trim_end_matches('.'))),
        })
        .collect();
    sentences.join(" ")
}

/// JSON of the demanded shape, from the results first and the question after them.
fn shaped(schema: &Value, question: &str, results: &[(String, String)], tools: &[&str]) -> String {
    let mut text = String::new();
    for (_, result) in results {
        text.push_str(result);
        text.push_str(". ");
    }
    text.push_str(question);
    let source = Source::read(&text, tools);
    Filler::new(schema, &source).fill().to_string()
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(REPEATED) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

#[cfg(test)]
mod tests;
