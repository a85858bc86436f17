//! Specifications: shorthands, round trips, and mistakes named all at once.

use agenticai_domain::spec::{AgentSpec, Effect, ToolSpec};
use serde_json::{Value, json};

fn read(value: Value) -> Result<AgentSpec, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

#[test]
fn shorthands_are_spelled_out() {
    let spec = read(json!({"name": "a", "model": "gpt-5-mini", "tools": ["calculator"]})).unwrap();
    let shown = serde_json::to_value(&spec).unwrap();
    assert_eq!(shown["tools"], json!([{"builtin": "calculator"}]));
    assert_eq!(shown["model"], json!({"name": "gpt-5-mini"}));
    assert_eq!(read(shown).unwrap(), spec, "what is shown reads back as itself");
}

#[test]
fn a_tool_that_declares_nothing_is_once() {
    let spec = read(
        json!({"name": "a", "model": "m", "tools": [{"name": "t", "http": {"url": "https://example.com"}}]}),
    );
    assert!(matches!(&spec.unwrap().tools[0], ToolSpec::Http(tool) if tool.effect == Effect::Once));
}

#[test]
fn unknown_fields_and_wrong_shapes_are_named() {
    for (value, expected) in [
        (json!({"name": "a", "modle": "m"}), "modle"),
        (json!({"name": "a", "model": {"name": "m", "temprature": 1}}), "temprature"),
        (json!({"name": "a", "model": 7}), "a model is a name"),
        (json!({"name": "a", "tools": [{"web": 1}]}), "`builtin`, `http` or `mcp`"),
        (json!({"name": "a", "tools": [{"name": "t", "http": {"url": "x", "methd": "GET"}}]}), "methd"),
        (json!({"name": "a", "limits": {"max_step": 1}}), "max_step"),
        (json!({"model": "m"}), "name"),
    ] {
        let error = read(value.clone()).unwrap_err();
        assert!(error.contains(expected), "{value}: {error}");
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    let spec = read(json!({
        "name": "No Good",
        "model": {"name": " ", "temperature": 3},
        "output": {"schema": {"type": "nonsense"}},
        "limits": {"max_steps": 0, "max_cost_usd": -1.0, "timeout_seconds": 0},
        "tools": [
            {"name": "bad name", "parameters": {"type": "array"}, "http": {"url": "ftp://x"}},
            {"mcp": {"command": ["a"], "url": "https://b", "headers": {}}},
            "calculator", "calculator",
            {"builtin": "now", "effect": "once"},
        ],
    }));
    let paths: Vec<String> = spec.unwrap().check().into_iter().map(|e| e.path).collect();
    for path in [
        "name",
        "model.name",
        "model.temperature",
        "output.schema",
        "limits.max_steps",
        "limits.max_cost_usd",
        "limits.timeout_seconds",
        "tools[0].name",
        "tools[0].parameters",
        "tools[0].http.url",
        "tools[1].mcp",
        "tools[3]",
        "tools[4].effect",
    ] {
        assert!(paths.iter().any(|p| p == path), "{path} is missing in {paths:?}");
    }
}

#[test]
fn a_tool_agent_has_one_tool_and_no_model() {
    let good = read(json!({"name": "job", "kind": "tool", "tools": ["now"]})).unwrap();
    assert_eq!(good.check(), vec![]);
    let bad =
        read(json!({"name": "job", "kind": "tool", "model": "m", "tools": ["now", "calculator"]})).unwrap();
    assert_eq!(bad.check().len(), 2);
    let bad = read(json!({"name": "job"})).unwrap();
    assert!(bad.check()[0].message.contains("needs a model"));
}
