//! The tasks of a run, made from a seed.

use agenticai_domain::task::TaskInput;
use fastrand::Rng;
use serde_json::{Value, json};

use super::agents::{CHARGE_JOB, CHILD, NOTE_JOB, WORKER};
use crate::stub::script::{Script, ScriptCall};

/// A task to be.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its idempotency key.
    pub key: String,
    /// Its agent.
    pub agent: &'static str,
    /// What it is asked.
    pub input: TaskInput,
    /// Its output, unless it is cancelled; `None`: whatever the tool answers.
    pub answer: Option<String>,
    /// Milliseconds after its acceptance at which its client cancels it.
    pub cancel_after_ms: Option<u64>,
    /// Whether its client submits it a second time.
    pub twice: bool,
}

impl Planned {
    /// Whether it calls a `once` tool by itself.
    pub fn charges(&self) -> bool {
        match &self.input {
            TaskInput::Text(script) => Script::from_message(script).is_some_and(|script| {
                script.turns.iter().flatten().any(|call| call.tool.ends_with("charge"))
            }),
            TaskInput::Arguments(_) | TaskInput::Messages(_) => self.agent == CHARGE_JOB,
        }
    }
}

/// `n` tasks. The first ones take turns through every speciality, so that a run of any seed has them all.
pub fn make(n: usize, rng: &mut Rng) -> Vec<Planned> {
    let mut amounts = 0;
    (0..n).map(|i| planned(i, &mut amounts, rng)).collect()
}

fn planned(i: usize, amounts: &mut u64, rng: &mut Rng) -> Planned {
    let key = format!("task-{i:04}");
    let twice = rng.u8(0..8) == 0;
    if i % 10 == 9 {
        let (agent, call) =
            if rng.bool() { (CHARGE_JOB, charge(amounts, rng)) } else { (NOTE_JOB, note(i, rng)) };
        let arguments = call.arguments.as_object().cloned().unwrap_or_default();
        let input = TaskInput::Arguments(arguments);
        return Planned { key, agent, input, answer: None, cancel_after_ms: None, twice };
    }
    let special = match i % 10 {
        1 => Some(call("sleep", json!({"seconds": rng.u64(2..20) as f64 / 10.0}))),
        2 => Some(call("wait_signal", json!({"name": format!("go-{}", rng.u8(0..3))}))),
        3 => Some(call("ask_human", json!({"question": "Shall it go on?"}))),
        4 => Some(ScriptCall { tool: "careful_charge".into(), ..charge(amounts, rng) }),
        5 => Some(child(i, amounts, rng)),
        6 => Some(cut(charge(amounts, rng))),
        _ => None,
    };
    let mut turns: Vec<Vec<ScriptCall>> = (0..rng.usize(1..4)).map(|_| turn(i, amounts, rng)).collect();
    if let Some(special) = special {
        let at = rng.usize(0..turns.len());
        turns[at].push(special);
    }
    let answer = format!("task {i} is done");
    let script = Script { turns, answer: answer.clone(), latency_ms: Some(rng.u64(5..80)) };
    Planned {
        key,
        agent: WORKER,
        input: TaskInput::Text(script.to_message()),
        answer: Some(answer),
        cancel_after_ms: (i % 10 == 7).then(|| rng.u64(0..1500)),
        twice,
    }
}

/// One to three calls: parallel ones where more than one.
fn turn(i: usize, amounts: &mut u64, rng: &mut Rng) -> Vec<ScriptCall> {
    let one = |rng: &mut Rng, amounts: &mut u64| match rng.u8(0..3) {
        0 => call("lookup", json!({"q": format!("{i}"), "latency_ms": rng.u64(0..60)})),
        1 => note(i, rng),
        _ => charge(amounts, rng),
    };
    (0..rng.usize(1..4)).map(|_| one(rng, amounts)).collect()
}

fn call(tool: &str, arguments: Value) -> ScriptCall {
    ScriptCall { tool: tool.to_owned(), arguments }
}

fn note(i: usize, rng: &mut Rng) -> ScriptCall {
    call("note", json!({"text": format!("note of {i}"), "latency_ms": rng.u64(5..120)}))
}

/// Each amount is used once: an equal call after an uncertain one would wait for consent.
fn charge(amounts: &mut u64, rng: &mut Rng) -> ScriptCall {
    *amounts += 1;
    call("charge", json!({"amount": *amounts, "latency_ms": rng.u64(10..250)}))
}

/// The same call, cut off by the other side before it took effect.
fn cut(mut call: ScriptCall) -> ScriptCall {
    call.arguments["cut"] = json!(true);
    call
}

fn child(i: usize, amounts: &mut u64, rng: &mut Rng) -> ScriptCall {
    let turns = vec![turn(i, amounts, rng)];
    let script = Script { turns, answer: format!("child of {i} is done"), latency_ms: Some(rng.u64(5..80)) };
    call("run_agent", json!({"agent": CHILD, "input": script.to_message()}))
}
