//! Tool calls.

mod bodies;
mod effects;
mod egress;
mod mcp;
mod resolve;
mod secrets;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agenticai_agent::call::CallContext;
use agenticai_agent::tools::egress::EgressPolicy;
use agenticai_agent::tools::{Tools, ToolsConfig};
use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::journal::CallOutcome;
use agenticai_domain::outcome::{ToolOutcome, ToolResult};
use agenticai_domain::spec::{AgentSpec, SpecError, ToolDef};
use serde_json::{Value, json};
use uuid::Uuid;

/// Tools as in a loopback `up`.
fn local() -> ToolsConfig {
    ToolsConfig {
        egress: EgressPolicy::parse::<&str>(&[], true).unwrap(),
        allow_stdio: true,
        ..ToolsConfig::default()
    }
}

fn tools() -> Tools {
    Tools::new(local()).unwrap()
}

/// A call whose lease holds as long as the second value says so, and then is gone.
fn context() -> (CallContext, Arc<AtomicBool>) {
    let lease = Arc::new(AtomicBool::new(true));
    let (holds, gone) = (lease.clone(), lease.clone());
    let ctx = CallContext {
        tenant: TenantId(Uuid::from_u128(1)),
        task: TaskId(Uuid::from_u128(2)),
        step: StepId::call(3, 1),
        epoch: 7,
        first_attempt: 1,
        depth: 0,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        may_send: Arc::new(move || holds.load(Ordering::SeqCst)),
        lease_gone: Arc::new(move || !gone.load(Ordering::SeqCst)),
    };
    (ctx, lease)
}

fn spec(tools: Value) -> AgentSpec {
    serde_json::from_value(json!({ "name": "tester", "model": "practice", "tools": tools })).unwrap()
}

async fn resolve(tools: &Tools, list: Value) -> Result<Vec<ToolDef>, Vec<SpecError>> {
    let spec = spec(list);
    assert_eq!(spec.check(), []);
    tools.resolve(&spec).await
}

/// One HTTP tool: `GET url`, class `none`, quick retries, changed as `change` says.
async fn http_tool(tools: &Tools, url: &str, change: Value) -> ToolDef {
    let mut tool = json!({
        "name": "probe", "effect": "none", "timeout_seconds": 2, "max_result_bytes": 65_536,
        "retry": {"max_attempts": 3, "initial_ms": 1, "max_ms": 2000},
        "http": {"method": "GET", "url": url},
    });
    merge(&mut tool, change);
    resolve(tools, json!([tool])).await.unwrap().remove(0)
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

async fn call(tools: &Tools, def: &ToolDef, arguments: Value) -> ToolOutcome {
    tools.call(def, &arguments, &context().0).await
}

/// The content of a call that succeeded.
#[track_caller]
fn content(outcome: ToolOutcome) -> Value {
    match outcome.result {
        ToolResult::Ended(CallOutcome::Ok { content }) => content,
        other => panic!("no success: {other:?}"),
    }
}

/// Code and message of a call that failed for certain.
#[track_caller]
fn error(outcome: ToolOutcome) -> (String, String) {
    match outcome.result {
        ToolResult::Ended(CallOutcome::Error { code, message }) => (code, message),
        other => panic!("no certain failure: {other:?}"),
    }
}

/// Why the outcome of a call is unknown.
#[track_caller]
fn uncertain(outcome: ToolOutcome) -> String {
    match outcome.result {
        ToolResult::Uncertain { reason } => reason,
        other => panic!("not uncertain: {other:?}"),
    }
}
