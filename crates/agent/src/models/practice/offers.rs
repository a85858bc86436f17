//! What a schema says of its values, and what it offers where a text offers nothing.

use serde_json::{Number, Value, json};

/// The type that a schema wants; the first that is not `null` of several.
pub(super) fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|k| *k != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

/// A number as JSON has it, whole where it is whole.
pub(super) fn number(text: &str) -> Option<Value> {
    let text = text.trim_end_matches('%').replace(',', "");
    if let Ok(whole) = text.parse::<i64>() {
        return Some(json!(whole));
    }
    Number::from_f64(text.parse::<f64>().ok()?).map(Value::Number)
}

/// A truth value as people write it.
pub(super) fn truth(word: &str) -> Option<Value> {
    match word.to_lowercase().as_str() {
        "true" | "yes" | "on" | "enabled" => Some(json!(true)),
        "false" | "no" | "off" | "disabled" => Some(json!(false)),
        _ => None,
    }
}

/// What the schema itself offers.
pub(super) fn fallbacks(schema: &Value) -> Vec<Value> {
    let example = schema.get("examples").and_then(|e| e.get(0));
    schema.get("default").into_iter().chain(example).cloned().collect()
}

/// Numbers at the schema's bounds.
pub(super) fn bounds(schema: &Value) -> Vec<Value> {
    let mut all = vec![json!(1), json!(0)];
    for (name, step) in
        [("minimum", 0.0), ("exclusiveMinimum", 1.0), ("maximum", 0.0), ("exclusiveMaximum", -1.0)]
    {
        if let Some(bound) = schema.get(name).and_then(Value::as_f64) {
            let value = bound + step;
            all.extend(number(&value.ceil().to_string()));
            all.extend(number(&value.floor().to_string()));
            all.extend(number(&(bound + step / 2.0).to_string()));
        }
    }
    if let Some(multiple) = schema.get("multipleOf").and_then(Value::as_f64) {
        let low = schema.get("minimum").and_then(Value::as_f64).unwrap_or(0.0);
        all.extend(number(&((low / multiple).ceil() * multiple).to_string()));
    }
    all
}

/// A text of the schema's format and length that stands for nothing.
pub(super) fn made_up(schema: &Value) -> Option<String> {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2000-01-01",
        Some("date-time") => "2000-01-01T00:00:00Z",
        Some("time") => "00:00:00Z",
        Some("email") => "nobody@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        Some("ipv4") => "192.0.2.1",
        _ => "unknown",
    };
    let min =
        schema.get("minLength").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let max = schema.get("maxLength").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let padded: String = text.chars().chain(std::iter::repeat('.')).take(min.max(text.len())).collect();
    Some(max.map_or(padded.clone(), |max| padded.chars().take(max).collect()))
}
