//! Replay and plan answer with a state or a typed error, whatever the journal says.

use agenticai_domain::engine::{Agent, Context, State, plan};
use agenticai_domain::journal::{Entry, Recorded};
use agenticai_domain::task::{TaskHead, TaskInput};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::samples;

fn try_everything(agent: &Agent, task: &TaskHead, journal: &[Recorded]) -> bool {
    let Ok(mut state) = State::replay(agent, task, journal) else { return false };
    let _ = state.conversation(agent, task, u32::MAX);
    let _ = state.waiting_for(agent);
    let context = Context { agent, task, now: i64::MAX, epoch: u32::MAX, inbox: &[] };
    plan(&mut state, &context, Vec::new()).is_ok()
}

fn recorded(entries: Vec<Entry>) -> Vec<Recorded> {
    let at = |i: usize| Recorded { seq: i as u64 + 1, epoch: 1, at: 5, entry: Entry::TimerFired(none()) };
    entries.into_iter().enumerate().map(|(i, entry)| Recorded { entry, ..at(i) }).collect()
}

fn none() -> agenticai_domain::journal::TimerFired {
    agenticai_domain::journal::TimerFired { step: agenticai_domain::ids::StepId::call(u32::MAX, u32::MAX) }
}

#[test]
fn shuffled_journals_are_states_or_typed_errors() {
    let (agent, task) = (samples::agent(), samples::text_task());
    let tool_agent = samples::agent_with(
        json!({"name": "t", "kind": "tool"}),
        vec![samples::tool("read", Default::default(), None)],
    );
    let tool_task = samples::task(TaskInput::Arguments(Default::default()));
    let all: Vec<Entry> = samples::entries().into_iter().map(|(_, entry)| entry).collect();
    let mut rng = Rng::with_seed(1);
    let mut fine = 0;
    for _ in 0..20_000 {
        let journal = recorded((0..rng.usize(..8)).map(|_| all[rng.usize(..all.len())].clone()).collect());
        fine += usize::from(try_everything(&agent, &task, &journal));
        try_everything(&tool_agent, &tool_task, &journal);
    }
    assert!(fine > 100, "only {fine} journals were possible: the generator tests nothing");
}

#[test]
fn entries_with_changed_values_are_states_or_typed_errors() {
    let (agent, task) = (samples::agent(), samples::text_task());
    let mut rng = Rng::with_seed(2);
    let mut read = 0;
    for _ in 0..20_000 {
        let journal = (0..1 + rng.usize(..5))
            .filter_map(|_| {
                let all = samples::entries();
                let mut value = serde_json::to_value(&all[rng.usize(..all.len())].1).unwrap();
                mutate(&mut value, &mut rng);
                serde_json::from_value::<Entry>(value).ok()
            })
            .collect();
        let mut journal = recorded(journal);
        read += journal.len();
        if let Some(one) = journal.first_mut() {
            one.seq = if rng.u8(..10) == 0 { rng.u64(..) } else { one.seq };
            one.epoch = if rng.u8(..10) == 0 { rng.u32(..) } else { one.epoch };
            one.at = if rng.u8(..10) == 0 { rng.i64(i64::MIN..i64::MAX) } else { one.at };
        }
        try_everything(&agent, &task, &journal);
    }
    assert!(read > 10_000, "only {read} changed entries could be read: the generator tests nothing");
}

/// Changes one value somewhere.
fn mutate(value: &mut Value, rng: &mut Rng) {
    match value {
        Value::Object(map) if !map.is_empty() && rng.u8(..8) != 0 => {
            let at = rng.usize(..map.len());
            if let Some((_, inner)) = map.iter_mut().nth(at) {
                mutate(inner, rng);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = rng.usize(..items.len());
            mutate(&mut items[at], rng);
        }
        Value::String(text) => {
            *text = ["1.0", "3", "4294967295.4294967295", "", "read", "sleep"][rng.usize(..6)].into()
        }
        other => {
            *other = [json!(0), json!(-1), json!(u64::MAX), json!(null), json!("1.0"), json!({})]
                [rng.usize(..6)]
            .clone()
        }
    }
}
