//! Which tools a text asks for.

use serde_json::Value;

use super::conversation::Tool;
use super::fill::expression_like;
use super::words::{Source, akin, words};

/// The tools to call, in order: all that the text names to be used, else the one that fits best, if one does.
pub(super) fn plan<'a>(tools: &'a [Tool], source: &Source) -> Vec<&'a Tool> {
    let mut named: Vec<(usize, &Tool)> =
        tools.iter().filter_map(|tool| Some((named_at(tool, source)?, tool))).collect();
    if !named.is_empty() {
        named.sort_by_key(|(at, _)| *at);
        return named.into_iter().map(|(_, tool)| tool).collect();
    }
    let mut best: Option<(u32, &Tool)> = None;
    for tool in tools {
        let score = score(tool, source);
        if score >= ENOUGH && best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, tool));
        }
    }
    best.map(|(_, tool)| tool).into_iter().collect()
}

/// A name of one content word, or an obvious argument, is enough; a few words shared with a description are too.
const ENOUGH: u32 = 4;

/// Where the text says to use the tool: its name in full beside a word such as `use`, as `the … tool`, in quotes, or
/// a name that is no word of the language.
fn named_at(tool: &Tool, source: &Source) -> Option<usize> {
    let name = words(&tool.name);
    let at = source.mention(&name)?;
    let before = &source.words[at.saturating_sub(3)..at];
    let after = source.words.get(at + name.len()).map(String::as_str).unwrap_or_default();
    let asked = ["use", "using", "call", "calling", "run", "invoke", "with", "via", "through", "try", "ask"];
    let directed = before.iter().rev().take(3).any(|word| asked.contains(&word.as_str()))
        || matches!(after, "tool" | "function");
    let quoted = source.quoted.iter().any(|quote| quote.eq_ignore_ascii_case(&tool.name));
    let artificial = tool.name.contains(['_', '-']) && source.text.contains(&tool.name);
    (directed || quoted || artificial).then_some(at)
}

/// Words that fit any tool and tell nothing.
const COMMON: [&str; 40] = [
    "a", "an", "the", "and", "or", "of", "to", "in", "on", "at", "for", "from", "with", "by", "is", "are",
    "it", "its", "this", "that", "what", "which", "how", "get", "gets", "set", "do", "does", "make", "run",
    "tool", "use", "return", "returns", "given", "value", "one", "you", "your", "me",
];

fn score(tool: &Tool, source: &Source) -> u32 {
    let heard = |word: &String| source.words.iter().any(|have| akin(have, word));
    let telling = |list: Vec<String>| -> Vec<String> {
        let mut list: Vec<String> = list.into_iter().filter(|w| !COMMON.contains(&w.as_str())).collect();
        list.dedup();
        list
    };
    let name = telling(words(&tool.name));
    let mut score = 0;
    if !name.is_empty() {
        let hits = name.iter().filter(|word| heard(word)).count();
        score += (6 * hits / name.len()) as u32;
        // `look up` for `lookup`.
        let joined = name.concat();
        if hits == 0 && source.words.windows(2).any(|pair| pair.concat() == joined) {
            score += 6;
        }
    }
    let description = telling(words(&tool.description));
    let mut hits: Vec<&String> = description.iter().filter(|word| word.len() > 3 && heard(word)).collect();
    hits.sort();
    hits.dedup();
    score += hits.len().min(4) as u32;
    for (name, property) in tool.parameters.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        let text = property.get("description").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let url = property.get("format").is_some_and(|f| f == "uri")
            || words(name).iter().any(|w| matches!(w.as_str(), "url" | "uri" | "link"));
        let fits =
            source.arithmetic.is_some() && expression_like(name, &text) || !source.urls.is_empty() && url;
        if fits {
            score += 6;
        } else if words(name).iter().all(heard) {
            score += 1;
        }
    }
    score
}
