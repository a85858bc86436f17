//! Values by schema: arguments of a call, or an answer of a demanded shape, from what a text offers.
//!
//! For each place the text offers several candidates, best first; the first that the place's own schema accepts is
//! taken. What the text does not offer comes from the schema: its default, an example, its bounds.

use serde_json::{Map, Value, json};

use agenticai_domain::schema::Schema;

use super::offers::{bounds, fallbacks, kind, made_up, number, truth};
use super::words::{Source, words};

/// Fills one schema from one text.
pub(super) struct Filler<'a> {
    root: &'a Value,
    source: &'a Source,
    /// How many of the text's numbers, quotes and names are taken already.
    numbers: usize,
    quoted: usize,
    names: usize,
}

/// Bound on nesting: a schema may refer to itself.
const MAX_DEPTH: u32 = 8;

impl<'a> Filler<'a> {
    pub(super) fn new(root: &'a Value, source: &'a Source) -> Self {
        Self { root, source, numbers: 0, quoted: 0, names: 0 }
    }

    /// A value that the schema accepts, or the nearest to it.
    pub(super) fn fill(mut self) -> Value {
        let root = self.root;
        let full = self.value("", root, 0, true);
        if self.accepts(root, &full) {
            return full;
        }
        let mut plain = Self::new(root, self.source);
        let bare = plain.value("", root, 0, false);
        if plain.accepts(root, &bare) { bare } else { full }
    }

    /// The schema behind a reference, or behind the first branch of a choice that is not `null`.
    fn follow(&self, schema: &'a Value) -> &'a Value {
        let mut at = schema;
        for _ in 0..MAX_DEPTH {
            if let Some(pointer) = at.get("$ref").and_then(Value::as_str) {
                let Some(target) = pointer.strip_prefix('#').and_then(|p| self.root.pointer(p)) else {
                    break;
                };
                at = target;
                continue;
            }
            let branch = ["anyOf", "oneOf", "allOf"]
                .iter()
                .find_map(|name| at.get(*name)?.as_array())
                .and_then(|all| all.iter().find(|branch| branch.get("type").is_none_or(|t| t != "null")));
            match branch {
                Some(branch) if at.get("type").is_none() && at.get("properties").is_none() => at = branch,
                _ => break,
            }
        }
        at
    }

    fn accepts(&self, schema: &Value, value: &Value) -> bool {
        let mut own = schema.clone();
        if let Value::Object(map) = &mut own {
            for name in ["$defs", "definitions"] {
                if let (false, Some(defs)) = (map.contains_key(name), self.root.get(name)) {
                    map.insert(name.to_owned(), defs.clone());
                }
            }
        }
        Schema::compile(&own).is_ok_and(|schema| schema.check(value).is_ok())
    }

    fn value(&mut self, name: &str, schema: &'a Value, depth: u32, optional: bool) -> Value {
        let schema = self.follow(schema);
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(all) = schema.get("enum").and_then(Value::as_array) {
            return self
                .mentioned(all)
                .or_else(|| schema.get("default").cloned())
                .unwrap_or_else(|| all.first().cloned().unwrap_or(Value::Null));
        }
        match kind(schema) {
            "object" => self.object(schema, depth, optional),
            "array" => self.array(name, schema, depth, optional),
            "null" => Value::Null,
            _ => self.scalar(name, schema),
        }
    }

    fn object(&mut self, schema: &'a Value, depth: u32, optional: bool) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|all| all.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut object = Map::new();
        for name in &required {
            let value = match properties.and_then(|all| all.get(*name)) {
                Some(property) => self.value(name, property, depth + 1, optional),
                None => Value::String(self.source.rest.clone()),
            };
            object.insert((*name).to_owned(), value);
        }
        if optional {
            // A value that was written out belongs to the only place that there is; loose words need not.
            let written = !self.source.quoted.is_empty() || !self.source.numbers.is_empty();
            let alone = written && required.is_empty() && properties.is_some_and(|all| all.len() == 1);
            for (name, property) in properties.into_iter().flatten() {
                let spoken = self.source.mention(&words(name)).is_some();
                if !required.contains(&name.as_str()) && (alone || spoken || self.enum_spoken(property)) {
                    object.insert(name.clone(), self.value(name, property, depth + 1, optional));
                }
            }
        }
        Value::Object(object)
    }

    fn array(&mut self, name: &str, schema: &'a Value, depth: u32, optional: bool) -> Value {
        let bound =
            |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let max = bound("maxItems").unwrap_or(20);
        let min = bound("minItems").unwrap_or(0);
        static ANY: Value = Value::Bool(true);
        let items = self.follow(schema.get("items").unwrap_or(&ANY));
        let mut list: Vec<Value> = if let Some(all) = items.get("enum").and_then(Value::as_array) {
            all.iter().filter(|value| self.spoken(value)).cloned().collect()
        } else {
            match kind(items) {
                "integer" | "number" => {
                    let left = self.source.numbers.iter().skip(self.numbers);
                    let list: Vec<Value> =
                        left.filter_map(|n| number(n)).filter(|n| self.accepts(items, n)).collect();
                    self.numbers += list.len();
                    list
                }
                "string" => {
                    let mut all: Vec<&String> = self.source.quoted.iter().skip(self.quoted).collect();
                    if all.is_empty() {
                        all = self.source.names.iter().skip(self.names).collect();
                    }
                    all.into_iter().map(|text| json!(text)).filter(|v| self.accepts(items, v)).collect()
                }
                _ => Vec::new(),
            }
        };
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            let mut seen: Vec<Value> = Vec::new();
            list.retain(|v| {
                !seen.contains(v) && {
                    seen.push(v.clone());
                    true
                }
            });
        }
        list.truncate(max);
        while list.len() < min.max(usize::from(list.is_empty() && max > 0 && optional)) {
            list.push(self.value(name, items, depth + 1, optional));
        }
        Value::Array(list)
    }

    /// A number, text or truth value: the first candidate that fits.
    fn scalar(&mut self, name: &str, schema: &'a Value) -> Value {
        let name_words = words(name);
        let after = if name.is_empty() { None } else { self.source.after(&name_words) };
        let mut candidates: Vec<Value> = Vec::new();
        match kind(schema) {
            "boolean" => {
                candidates.extend(after.as_deref().and_then(truth));
                if let Some(at) = self.source.mention(&name_words) {
                    let before = &self.source.words[at.saturating_sub(2)..at];
                    candidates
                        .push(json!(!before.iter().any(|w| matches!(w.as_str(), "no" | "not" | "without"))));
                }
                candidates.extend(schema.get("default").cloned());
                candidates.push(json!(false));
            }
            "integer" | "number" => {
                candidates.extend(after.as_deref().and_then(number));
                candidates.extend(self.source.numbers.iter().skip(self.numbers).filter_map(|n| number(n)));
                candidates.extend(fallbacks(schema));
                candidates.extend(self.source.numbers.iter().filter_map(|n| number(n)));
                candidates.extend(bounds(schema));
            }
            _ => {
                candidates
                    .extend(self.texts(name, &name_words, schema, after).into_iter().map(Value::String));
                candidates.extend(fallbacks(schema));
                candidates.extend(made_up(schema).map(Value::String));
            }
        }
        let chosen = candidates.iter().find(|c| self.accepts(schema, c)).or(candidates.first());
        let value = chosen.cloned().unwrap_or(Value::Null);
        self.take(&value);
        value
    }

    /// What the text offers for a string.
    fn texts(&self, name: &str, name_words: &[String], schema: &Value, after: Option<String>) -> Vec<String> {
        let source = self.source;
        let description =
            schema.get("description").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        let called = |some: &[&str]| name_words.iter().any(|word| some.contains(&word.as_str()));
        let mut all: Vec<String> = Vec::new();
        if expression_like(name, &description) {
            all.extend(source.arithmetic.clone());
        }
        if format == "uri" || format == "url" || called(&["url", "uri", "link", "href", "endpoint"]) {
            all.extend(source.urls.iter().cloned());
        }
        let shaped = |fits: fn(&str) -> bool| {
            let marks = |c: char| matches!(c, '.' | ',' | '?' | '!' | ';' | '"' | '\'' | '(' | ')' | '`');
            source
                .text
                .split_whitespace()
                .map(move |w| w.trim_matches(marks))
                .filter(move |w| fits(w))
                .map(str::to_owned)
        };
        match format {
            "email" => all.extend(shaped(|w| w.contains('@') && w.contains('.'))),
            "date" | "date-time" => all.extend(shaped(|w| {
                w.len() >= 10
                    && w.as_bytes()[4] == b'-'
                    && w.as_bytes()[7] == b'-'
                    && w.starts_with(|c: char| c.is_ascii_digit())
            })),
            "uuid" => all.extend(shaped(|w| w.len() == 36 && w.matches('-').count() == 4)),
            _ => {}
        }
        all.extend(after);
        all.extend(source.quoted.iter().skip(self.quoted).cloned());
        // A short slot takes a name, a long one what is left of the text.
        let long = called(&[
            "query",
            "q",
            "text",
            "message",
            "prompt",
            "input",
            "content",
            "body",
            "question",
            "task",
            "description",
            "instructions",
            "term",
            "phrase",
            "sentence",
            "search",
            "answer",
            "summary",
            "reason",
            "comment",
            "note",
        ]);
        if !long {
            all.extend(source.names.iter().skip(self.names).cloned());
        }
        all.push(source.rest.clone());
        if let Some(max) =
            schema.get("maxLength").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok())
        {
            all.push(source.rest.chars().take(max).collect());
        }
        // A pattern or format may accept a single word where nothing longer fits.
        let picky = schema.get("pattern").is_some() || schema.get("maxLength").is_some();
        if picky {
            all.extend(
                source
                    .text
                    .split_whitespace()
                    .map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()),
            );
        }
        all
    }

    /// Notes what was used, so that the next place gets the next value.
    fn take(&mut self, value: &Value) {
        let past = |list: &[String], from: usize, text: &str| {
            list.iter().skip(from).position(|item| item == text).map_or(from, |at| from + at + 1)
        };
        match value {
            Value::Number(n) => self.numbers = past(&self.source.numbers, self.numbers, &n.to_string()),
            Value::String(text) => {
                self.quoted = past(&self.source.quoted, self.quoted, text);
                self.names = past(&self.source.names, self.names, text);
            }
            _ => {}
        }
    }

    fn mentioned(&self, all: &[Value]) -> Option<Value> {
        all.iter()
            .filter_map(|value| Some((self.place(value)?, value)))
            .min_by_key(|(at, _)| *at)
            .map(|(_, v)| v.clone())
    }

    fn enum_spoken(&self, schema: &'a Value) -> bool {
        let all = self.follow(schema).get("enum").and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|value| value.is_string() && self.spoken(value)))
    }

    fn spoken(&self, value: &Value) -> bool {
        self.place(value).is_some()
    }

    fn place(&self, value: &Value) -> Option<usize> {
        match value {
            Value::String(text) => self.source.mention(&words(text)),
            Value::Number(n) => self.source.numbers.iter().position(|have| *have == n.to_string()),
            _ => None,
        }
    }
}

/// Whether a parameter wants a formula.
pub(super) fn expression_like(name: &str, description: &str) -> bool {
    let wanted = ["expression", "expr", "formula", "calculation", "equation", "arithmetic", "math"];
    words(name).iter().any(|word| wanted.contains(&word.as_str()))
        || wanted.iter().any(|word| description.contains(word))
}
