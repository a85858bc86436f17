//! Random agents and what random models say.

use std::sync::Arc;

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::engine::Agent;
use crate::ids::{AgentId, TaskId, TenantId};
use crate::outcome::{Finish, ModelAnswer, RawCall};
use crate::spec::{
    AgentKind, AgentSpec, AgentVersion, Approval, Effect, Limits, ModelRef, OutputSpec, RetryPolicy, ToolDef,
    ToolSource,
};
use crate::task::{TaskHead, TaskInput};

/// Name, effect, approval, built-in name.
const TOOLS: [(&str, Effect, Approval, Option<&str>); 9] = [
    ("read", Effect::None, Approval::Never, None),
    ("put", Effect::Idempotent, Approval::Never, None),
    ("charge", Effect::Once, Approval::Never, None),
    ("pay", Effect::Once, Approval::Always, None),
    ("look", Effect::None, Approval::Always, None),
    ("sleep", Effect::None, Approval::Never, Some("sleep")),
    ("ask_human", Effect::None, Approval::Never, Some("ask_human")),
    ("wait_signal", Effect::None, Approval::Never, Some("wait_signal")),
    ("run_agent", Effect::None, Approval::Never, Some("run_agent")),
];

thread_local! {
    /// Compiling schemas is dear and not what is tested: the variants are compiled once a thread.
    static AGENTS: Vec<Agent> = (0..VARIANTS).map(compile).collect();
}

const VARIANTS: usize = 10;

fn compile(variant: usize) -> Agent {
    let tool = |(name, effect, approval, builtin): (&str, Effect, Approval, Option<&str>)| ToolDef {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({"type": "object", "properties": {"n": {"type": "integer"}}}),
        effect,
        approval,
        timeout_ms: 1000,
        retry: RetryPolicy::default(),
        max_result_bytes: 1000,
        source: match builtin {
            Some(builtin) => ToolSource::Builtin { builtin: builtin.to_owned() },
            None => ToolSource::Mcp {
                server: serde_json::from_value(json!({"server": "simulated"}))
                    .unwrap_or_else(|e| panic!("{e}")),
                tool: name.to_owned(),
            },
        },
    };
    // Variants 0 to 4 are react agents; the others have one tool each.
    let react = variant < 5;
    let tools: Vec<ToolDef> = if react {
        TOOLS.into_iter().map(tool).collect()
    } else {
        vec![tool(TOOLS[[0, 1, 2, 3, 5][variant - 5]])]
    };
    let limits = match variant {
        1 => Limits { max_steps: 30, ..Limits::default() },
        2 => Limits { max_tokens: Some(600), ..Limits::default() },
        3 => Limits { max_cost_usd: Some(9e-6), ..Limits::default() },
        _ => Limits { max_steps: 60, ..Limits::default() },
    };
    let spec = AgentSpec {
        name: "simulated".to_owned(),
        kind: if react { AgentKind::React } else { AgentKind::Tool },
        description: None,
        model: react.then(|| ModelRef::named("simulated")),
        instructions: None,
        tools: Vec::new(),
        output: (variant == 4).then(|| OutputSpec {
            schema: json!({"type": "object", "required": ["answer"]}),
            max_repairs: 2,
        }),
        limits,
    };
    let version = AgentVersion {
        id: AgentId(Uuid::nil()),
        tenant: TenantId(Uuid::nil()),
        version: 1,
        spec,
        tools,
        created_at: 0,
    };
    Agent::compile(Arc::new(version)).unwrap_or_else(|e| panic!("{e}"))
}

/// An agent and a task for it. Nineteen of twenty are react agents: they have the longer histories.
pub fn agent_and_task(rng: &mut Rng) -> (Agent, TaskHead) {
    let variant = if rng.u8(..20) == 0 { rng.usize(5..VARIANTS) } else { rng.usize(..5) };
    let agent = AGENTS.with(|agents| agents[variant].clone());
    let input = match agent.kind() {
        AgentKind::React => TaskInput::Text("go".to_owned()),
        AgentKind::Tool => TaskInput::Arguments(
            [("n".to_owned(), json!(1)), ("seconds".to_owned(), json!(3))].into_iter().collect(),
        ),
    };
    let head = TaskHead {
        id: TaskId(Uuid::from_u128(rng.u128(..))),
        tenant: TenantId(Uuid::nil()),
        agent: AgentId(Uuid::nil()),
        agent_version: 1,
        input,
        priority: 5,
        created_at: 1000,
        deadline_at: (rng.u8(..40) == 0).then(|| 1000 + rng.i64(50..20_000)),
        parent: None,
        depth: 0,
        created_by: None,
        traceparent: None,
    };
    (agent, head)
}

/// What a model says in turn `turn`: mostly calls at first, mostly an answer later.
pub fn answer(rng: &mut Rng, agent: &Agent, turn: u32) -> ModelAnswer {
    let structured = agent.output().is_some();
    if turn > 5 && rng.u32(..14) < turn {
        let text = match (structured, rng.u8(..4)) {
            (_, 0) => String::new(),
            (true, 1) => "no JSON".to_owned(),
            (true, _) => r#"{"answer": 42}"#.to_owned(),
            (false, _) => "done".to_owned(),
        };
        return ModelAnswer { text, calls: Vec::new(), finish: Finish::Stop, opaque: None };
    }
    let calls = (0..1 + rng.usize(..4)).map(|i| call(rng, i)).collect();
    ModelAnswer { text: String::new(), calls, finish: Finish::Stop, opaque: None }
}

fn call(rng: &mut Rng, index: usize) -> RawCall {
    let (name, arguments) = match rng.u8(..40) {
        0 => ("no_such_tool", "{}".to_owned()),
        1 => ("read", "{broken".to_owned()),
        2 => ("read", r#"{"n": "text"}"#.to_owned()),
        _ => {
            let name = TOOLS[rng.usize(..TOOLS.len())].0;
            (name, arguments(rng, name).to_string())
        }
    };
    RawCall { id: format!("c{index}"), name: name.to_owned(), arguments }
}

fn arguments(rng: &mut Rng, name: &str) -> Value {
    match name {
        "sleep" => json!({"seconds": rng.u32(..5)}),
        "ask_human" if rng.bool() => json!({"question": "?", "timeout_seconds": rng.u32(1..10)}),
        "ask_human" => json!({"question": "?"}),
        "wait_signal" => {
            let name = ["red", "green"][rng.usize(..2)];
            json!({ "name": name })
        }
        "run_agent" => json!({"agent": "child", "input": "go"}),
        // Few values, so that equal calls come up.
        _ => json!({"n": rng.u8(..2)}),
    }
}
