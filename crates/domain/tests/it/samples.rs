//! One entry of every kind and shape, and an agent and a task for them.

use std::sync::Arc;

use agenticai_domain::engine::Agent;
use agenticai_domain::ids::{AgentId, StepId, TaskId, TenantId};
use agenticai_domain::inbox::{ApprovalDecision, InboxBody, InboxMessage, ResolveDecision};
use agenticai_domain::journal::{
    CallEnded, CallOutcome, CallStarted, CallUncertain, Ended, Entry, ModelAttempt, Received, TimerFired,
    ToolCall, Turn, TurnCut, TurnOutcome,
};
use agenticai_domain::spec::{AgentSpec, AgentVersion, Effect, RetryPolicy, ToolDef, ToolSource};
use agenticai_domain::task::{End, TaskError, TaskHead, TaskInput};
use agenticai_domain::usage::{NanoUsd, Spend, Usage};
use serde_json::{Value, json};
use uuid::Uuid;

pub fn tool(name: &str, effect: Effect, builtin: Option<&str>) -> ToolDef {
    let source = match builtin {
        Some(name) => json!({"type": "builtin", "builtin": name}),
        None => json!({"type": "http", "request": {"url": "https://example.com/"}}),
    };
    ToolDef {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({"type": "object"}),
        effect,
        approval: Default::default(),
        timeout_ms: 1000,
        retry: RetryPolicy::default(),
        max_result_bytes: 1000,
        source: serde_json::from_value::<ToolSource>(source).unwrap(),
    }
}

pub fn agent_with(spec: Value, tools: Vec<ToolDef>) -> Agent {
    let spec: AgentSpec = serde_json::from_value(spec).unwrap();
    let version = AgentVersion {
        id: AgentId(Uuid::nil()),
        tenant: TenantId(Uuid::nil()),
        version: 1,
        spec,
        tools,
        created_at: 0,
    };
    Agent::compile(Arc::new(version)).unwrap()
}

pub fn agent() -> Agent {
    agent_with(
        json!({"name": "sample", "model": "m", "instructions": "Be brief."}),
        vec![
            tool("read", Effect::None, None),
            tool("charge", Effect::Once, None),
            tool("sleep", Effect::None, Some("sleep")),
            tool("ask_human", Effect::None, Some("ask_human")),
            tool("wait_signal", Effect::None, Some("wait_signal")),
            tool("run_agent", Effect::None, Some("run_agent")),
        ],
    )
}

pub fn task(input: TaskInput) -> TaskHead {
    TaskHead {
        id: TaskId(Uuid::from_u128(7)),
        tenant: TenantId(Uuid::nil()),
        agent: AgentId(Uuid::nil()),
        agent_version: 1,
        input,
        priority: 5,
        created_at: 1_000_000,
        deadline_at: None,
        parent: None,
        depth: 0,
        created_by: None,
        traceparent: None,
    }
}

pub fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: format!("call_{name}"), name: name.to_owned(), arguments, rejected: None }
}

pub fn turn(number: u32, outcome: TurnOutcome) -> Entry {
    Entry::Turn(Box::new(Turn {
        turn: number,
        request: ModelAttempt {
            provider: "openai".to_owned(),
            model: "gpt-5-mini".to_owned(),
            dialect: "openai".to_owned(),
            format: 1,
            sha256: "00ff".to_owned(),
        },
        outcome,
        spend: Spend {
            usage: Usage { input_tokens: 100, output_tokens: 20, cached_tokens: 60, reasoning_tokens: 5 },
            cost: Some(NanoUsd(123_000)),
        },
        attempts: 2,
        took_ms: 850,
    }))
}

pub fn answer(text: &str, calls: Vec<ToolCall>) -> TurnOutcome {
    TurnOutcome::Answer { text: text.to_owned(), calls, repair: None, output: None, opaque: None }
}

fn received(id: u64, step: StepId, body: InboxBody) -> Entry {
    Entry::Received(Received { message: InboxMessage { id, body }, step })
}

/// Every kind of entry with every shape of its parts, named.
pub fn entries() -> Vec<(&'static str, Entry)> {
    let step = StepId::call(1, 0);
    let child = TaskId(Uuid::from_u128(9));
    let error = TaskError::new("model_unavailable", "gave up");
    let by = Some("somebody".to_owned());
    let ended = |outcome| Entry::CallEnded(CallEnded { step, outcome, attempts: 1, took_ms: 12 });
    let mut invalid = call("read", Value::String("{broken".to_owned()));
    invalid.rejected = Some("the arguments are no JSON".to_owned());
    vec![
        ("turn_answer", turn(1, answer("It is 42.\u{0}", vec![]))),
        ("turn_calls", turn(1, answer("", vec![call("read", json!({"q": 1})), invalid]))),
        (
            "turn_repair",
            turn(
                1,
                TurnOutcome::Answer {
                    text: "x".into(),
                    calls: vec![],
                    repair: Some("no JSON".into()),
                    output: None,
                    opaque: None,
                },
            ),
        ),
        (
            "turn_output",
            turn(
                1,
                TurnOutcome::Answer {
                    text: r#"{"a":1}"#.into(),
                    calls: vec![],
                    repair: None,
                    output: Some(json!({"a": 1})),
                    opaque: None,
                },
            ),
        ),
        (
            "turn_opaque",
            turn(
                1,
                TurnOutcome::Answer {
                    text: String::new(),
                    calls: vec![call("read", json!({"q": 1}))],
                    repair: None,
                    output: None,
                    opaque: Some(json!([{"type": "thinking", "thinking": "hm", "signature": "c2ln"}])),
                },
            ),
        ),
        ("turn_failed", turn(1, TurnOutcome::Failed { error: error.clone() })),
        (
            "turn_cut",
            Entry::TurnCut(TurnCut {
                turn: 1,
                spend: Spend {
                    usage: Usage { input_tokens: 20, ..Usage::default() },
                    cost: Some(NanoUsd(1000)),
                },
                reason: "the worker stopped".into(),
            }),
        ),
        ("call_started", Entry::CallStarted(CallStarted { step, attempt: 2, child: None })),
        ("call_started_child", Entry::CallStarted(CallStarted { step, attempt: 1, child: Some(child) })),
        ("call_ended_ok", ended(CallOutcome::Ok { content: json!({"n": [1, null, "x"]}) })),
        ("call_ended_error", ended(CallOutcome::Error { code: "http_500".into(), message: "boom".into() })),
        (
            "call_uncertain",
            Entry::CallUncertain(CallUncertain { step, attempt: 1, reason: "no answer".into() }),
        ),
        (
            "received_signal",
            received(1, step, InboxBody::Signal { name: "paid".into(), payload: json!({"n": 1}) }),
        ),
        (
            "received_approve",
            received(
                2,
                step,
                InboxBody::Approval { step, decision: ApprovalDecision::Approve, by: by.clone() },
            ),
        ),
        (
            "received_edit",
            received(
                3,
                step,
                InboxBody::Approval {
                    step,
                    decision: ApprovalDecision::Edit { arguments: json!({"q": 2}) },
                    by: None,
                },
            ),
        ),
        (
            "received_reject",
            received(
                4,
                step,
                InboxBody::Approval {
                    step,
                    decision: ApprovalDecision::Reject { reason: Some("no".into()) },
                    by: None,
                },
            ),
        ),
        (
            "received_input",
            received(5, step, InboxBody::Input { step, value: json!("blue"), by: by.clone() }),
        ),
        (
            "received_done",
            received(
                6,
                step,
                InboxBody::Resolve {
                    step,
                    decision: ResolveDecision::Done { result: json!("ok") },
                    by: by.clone(),
                },
            ),
        ),
        (
            "received_not_done",
            received(7, step, InboxBody::Resolve { step, decision: ResolveDecision::NotDone, by: None }),
        ),
        (
            "received_cancel",
            received(8, step, InboxBody::Resolve { step, decision: ResolveDecision::Cancel, by: None }),
        ),
        (
            "received_child",
            received(
                9,
                step,
                InboxBody::ChildEnded {
                    step,
                    child,
                    end: End::Completed { output: json!("done") },
                    spend: Spend { usage: Usage::default(), cost: None },
                },
            ),
        ),
        ("timer_fired", Entry::TimerFired(TimerFired { step })),
        ("ended_failed", Entry::Ended(Ended { end: End::Failed { error: error.clone() } })),
        ("ended_cancelled", Entry::Ended(Ended { end: End::Cancelled { error } })),
        ("ended_completed", Entry::Ended(Ended { end: End::Completed { output: json!(1) } })),
    ]
}

/// A task with a text for its input.
pub fn text_task() -> TaskHead {
    task(TaskInput::Text("What is 6 x 7?".to_owned()))
}
