//! The agents of the kill test: tools of every effect class, and everything that a task can wait for.

use std::collections::BTreeMap;

use agenticai_domain::spec::{AgentKind, Effect};
use serde_json::{Value, json};

/// A scripted agent with every tool.
pub const WORKER: &str = "worker";
/// A scripted agent without `run_agent`.
pub const CHILD: &str = "child";
/// A durable job that charges.
pub const CHARGE_JOB: &str = "charge-job";
/// A durable job that notes.
pub const NOTE_JOB: &str = "note-job";

/// Every agent, for the stub at `url`.
pub fn all(url: &str) -> Vec<Value> {
    let mut tools = vec![
        lookup(url),
        note(url),
        charge(url, "charge", "never"),
        charge(url, "careful_charge", "always"),
        json!("sleep"),
        json!("ask_human"),
        json!("wait_signal"),
    ];
    let child = react(CHILD, &tools);
    tools.push(json!("run_agent"));
    vec![
        child,
        react(WORKER, &tools),
        job(CHARGE_JOB, charge(url, "charge", "never")),
        job(NOTE_JOB, note(url)),
    ]
}

/// How an agent works.
pub fn kind(agent: &str) -> AgentKind {
    if [CHARGE_JOB, NOTE_JOB].contains(&agent) { AgentKind::Tool } else { AgentKind::React }
}

/// The effects of the tools that the stub serves.
pub fn effects() -> BTreeMap<String, Effect> {
    [
        ("lookup", Effect::None),
        ("note", Effect::Idempotent),
        ("charge", Effect::Once),
        ("careful_charge", Effect::Once),
    ]
    .map(|(tool, effect)| (tool.to_owned(), effect))
    .into()
}

fn react(name: &str, tools: &[Value]) -> Value {
    json!({"name": name, "model": "stub", "instructions": "Do as the script says.", "tools": tools})
}

fn job(name: &str, tool: Value) -> Value {
    json!({"name": name, "kind": "tool", "tools": [tool]})
}

fn lookup(url: &str) -> Value {
    json!({
        "name": "lookup", "effect": "none", "description": "Looks something up.",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}, "latency_ms": {"type": "integer"}}},
        "http": {"method": "GET", "url": format!("{url}/tool/lookup")},
    })
}

fn note(url: &str) -> Value {
    json!({
        "name": "note", "effect": "idempotent", "description": "Writes a note.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}, "latency_ms": {"type": "integer"}}},
        "http": {"method": "POST", "url": format!("{url}/tool/note")},
    })
}

fn charge(url: &str, name: &str, approval: &str) -> Value {
    let properties = json!({"amount": {"type": "integer"}, "latency_ms": {"type": "integer"}, "cut": {"type": "boolean"}, "cut_after": {"type": "boolean"}});
    json!({
        "name": name, "effect": "once", "approval": approval, "description": "Charges a card.",
        "parameters": {"type": "object", "properties": properties, "required": ["amount"]},
        "http": {"method": "POST", "url": format!("{url}/tool/charge")},
    })
}
