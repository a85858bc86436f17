//! The tasks of a run, made from a seed.

use agenticai_domain::task::TaskInput;
use agenticai_domain::thread::IfActive;
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
    /// How its client asks for it.
    pub asking: Asking,
    /// The thread that it belongs to, and what becomes of the task that is active there.
    pub thread: Option<(String, IfActive)>,
}

/// How a client asks for a task. It always does so under one key, however often, and must be given one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Until there is an answer.
    Once,
    /// Once more after the answer.
    Twice,
    /// Two processes at the same time.
    Together,
    /// It hangs up after so many milliseconds, answer or not, and asks two processes at the same time.
    HangingUp(u64),
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
    let asking = match rng.u8(0..16) {
        0 => Asking::Twice,
        1 => Asking::Together,
        2 | 3 => Asking::HangingUp(rng.u64(0..12)),
        _ => Asking::Once,
    };
    let thread = thread(i, rng);
    if i % 10 == 9 {
        let (agent, call) =
            if rng.bool() { (CHARGE_JOB, charge(amounts, rng)) } else { (NOTE_JOB, note(i, rng)) };
        let arguments = call.arguments.as_object().cloned().unwrap_or_default();
        let input = TaskInput::Arguments(arguments);
        return Planned { key, agent, input, answer: None, cancel_after_ms: None, asking, thread };
    }
    let special = match i % 10 {
        1 => Some(call("sleep", json!({"seconds": rng.u64(2..20) as f64 / 10.0}))),
        2 => Some(call("wait_signal", json!({"name": format!("go-{}", rng.u8(0..3))}))),
        3 => Some(call("ask_human", json!({"question": "Shall it go on?"}))),
        4 => Some(ScriptCall { tool: "careful_charge".into(), ..charge(amounts, rng) }),
        5 => Some(child(i, amounts, rng)),
        6 => Some(cut(charge(amounts, rng), rng)),
        _ => None,
    };
    let charges = rng.u8(0..CHARGING) == 0;
    let mut turns: Vec<Vec<ScriptCall>> =
        (0..rng.usize(1..4)).map(|_| turn(i, charges, amounts, rng)).collect();
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
        asking,
        thread,
    }
}

/// One of so many tasks charges besides those whose speciality it is: a third of all then does.
const CHARGING: u8 = 6;

/// Three tasks of ten belong to threads, six to each: most wait for their turn, some make others give way.
fn thread(i: usize, rng: &mut Rng) -> Option<(String, IfActive)> {
    let if_active = match rng.u8(0..5) {
        0 => IfActive::Interrupt,
        1 => IfActive::Replace,
        _ => IfActive::Queue,
    };
    [0, 2, 8].contains(&(i % 10)).then(|| (format!("talk-{}", i / 20), if_active))
}

/// One to three calls: parallel ones where more than one. Without `charges` none of them is a `once` call.
fn turn(i: usize, charges: bool, amounts: &mut u64, rng: &mut Rng) -> Vec<ScriptCall> {
    let one = |rng: &mut Rng, amounts: &mut u64| match rng.u8(0..if charges { 3 } else { 2 }) {
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

/// The same call, cut off by the other side before it took effect, or after that.
fn cut(mut call: ScriptCall, rng: &mut Rng) -> ScriptCall {
    let when = if rng.u8(0..4) == 0 { "cut_after" } else { "cut" };
    call.arguments[when] = json!(true);
    call
}

fn child(i: usize, amounts: &mut u64, rng: &mut Rng) -> ScriptCall {
    let charges = rng.u8(0..3) == 0;
    let turns = vec![turn(i, charges, amounts, rng)];
    let script = Script { turns, answer: format!("child of {i} is done"), latency_ms: Some(rng.u64(5..80)) };
    call("run_agent", json!({"agent": CHILD, "input": script.to_message()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_tasks_charges_and_threads_have_several() {
        let tasks = make(2_000, &mut Rng::with_seed(1));
        let charging = tasks.iter().filter(|task| task.charges()).count();
        assert!((600..740).contains(&charging), "{charging}");
        let mut threads = std::collections::BTreeMap::new();
        for (name, if_active) in tasks.iter().filter_map(|task| task.thread.as_ref()) {
            threads.entry(name).or_insert_with(Vec::new).push(if_active);
        }
        assert_eq!(threads.len(), 100);
        assert!(threads.values().all(|tasks| tasks.len() == 6));
        let ways: std::collections::HashSet<_> = threads.values().flatten().collect();
        assert_eq!(ways.len(), 3);
    }
}
