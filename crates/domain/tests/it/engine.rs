//! The engine, decision by decision.

use agenticai_domain::conversation::Message;
use agenticai_domain::engine::{After, Agent, Context, Effect, Plan, State, plan};
use agenticai_domain::ids::StepId;
use agenticai_domain::inbox::{InboxBody, InboxMessage};
use agenticai_domain::journal::{Entry, ModelAttempt, Recorded, TurnOutcome, open, seal};
use agenticai_domain::outcome::{
    Finish, ModelAnswer, ModelOutcome, Outcome, RawCall, ToolOutcome, ToolResult,
};
use agenticai_domain::spec;
use agenticai_domain::task::{End, TaskError, TaskHead, TaskInput, WaitKind};
use agenticai_domain::usage::Spend;
use serde_json::{Value, json};

use crate::samples;

struct Bench {
    agent: Agent,
    task: TaskHead,
    state: State,
    inbox: Vec<InboxMessage>,
    now: i64,
    commit_takes: i64,
}

impl Bench {
    fn new(agent: Agent, task: TaskHead) -> Self {
        let (state, now) = (State::new(&agent, &task), task.created_at);
        Self { agent, task, state, inbox: Vec::new(), now, commit_takes: 0 }
    }

    fn plan(&mut self, outcomes: Vec<Outcome>) -> Plan {
        let context =
            Context { agent: &self.agent, task: &self.task, now: self.now, epoch: 1, inbox: &self.inbox };
        let plan = plan(&mut self.state, &context, outcomes).unwrap();
        self.state.confirm(self.now + self.commit_takes);
        plan
    }

    fn answers(&mut self, turn: u32, answer: ModelAnswer) -> Plan {
        self.model(turn, Ok(answer))
    }

    fn model(&mut self, turn: u32, result: Result<ModelAnswer, TaskError>) -> Plan {
        let request = ModelAttempt {
            provider: "p".into(),
            model: "m".into(),
            dialect: "d".into(),
            format: 1,
            sha256: String::new(),
        };
        let spend = Spend::default();
        self.plan(vec![Outcome::Model(ModelOutcome {
            turn,
            request,
            result,
            spend,
            attempts: 1,
            took_ms: 1,
        })])
    }
}

fn says(text: &str) -> ModelAnswer {
    ModelAnswer { text: text.to_owned(), ..ModelAnswer::default() }
}

fn calls(calls: &[(&str, Value)]) -> ModelAnswer {
    let raw = |(i, (name, arguments)): (usize, &(&str, Value))| RawCall {
        id: format!("c{i}"),
        name: (*name).to_owned(),
        arguments: arguments.to_string(),
    };
    ModelAnswer { calls: calls.iter().enumerate().map(raw).collect(), ..ModelAnswer::default() }
}

fn tool_ok(step: StepId, content: Value) -> Outcome {
    let outcome = ToolOutcome { step, result: ToolResult::ok(content), attempts: 1, took_ms: 1 };
    Outcome::Tool { attempt: 1, outcome }
}

fn end_of(plan: &Plan) -> &End {
    match &plan.run.as_ref().unwrap().after {
        After::End(end) => end,
        other => panic!("it has not ended: {other:?}"),
    }
}

#[test]
fn a_no_op_costs_one_entry() {
    let agent = samples::agent_with(
        json!({"name": "job", "kind": "tool"}),
        vec![samples::tool("read", spec::Effect::None, None)],
    );
    let mut bench = Bench::new(agent, samples::task(TaskInput::Arguments(Default::default())));
    let first = bench.plan(vec![]);
    assert_eq!(first.run, None);
    assert_eq!(first.effects, vec![Effect::Tool { step: StepId::call(1, 0), tool: 0, attempt: 1 }]);
    let last = bench.plan(vec![tool_ok(StepId::call(1, 0), json!("hello"))]);
    assert_eq!(last.run.as_ref().unwrap().entries.len(), 1, "result and end are one entry");
    assert_eq!(end_of(&last), &End::Completed { output: json!("hello") });
}

#[test]
fn started_is_committed_with_the_turn_and_before_the_call() {
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    assert_eq!(bench.plan(vec![]).effects, vec![Effect::Model { turn: 1 }]);
    let planned = bench.answers(1, calls(&[("charge", json!({})), ("read", json!({}))]));
    let entries = &planned.run.as_ref().unwrap().entries;
    assert!(matches!(entries[0], Entry::Turn(_)));
    assert!(matches!(&entries[1], Entry::CallStarted(s) if s.step == StepId::call(1, 0)));
    assert_eq!(entries.len(), 2, "only the `once` call is journaled before it is sent");
    assert_eq!(planned.effects.len(), 2, "calls of one turn run in parallel");
}

#[test]
fn what_a_model_does_wrong_is_told_to_it() {
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    bench.plan(vec![]);
    let wrong = ModelAnswer {
        calls: vec![
            RawCall { id: "a".into(), name: "nothing".into(), arguments: "{}".into() },
            RawCall { id: "b".into(), name: "read".into(), arguments: "{broken".into() },
            RawCall { id: "c".into(), name: "read".into(), arguments: "[1]".into() },
        ],
        ..ModelAnswer::default()
    };
    let planned = bench.answers(1, wrong);
    assert_eq!(planned.effects, vec![Effect::Model { turn: 2 }], "it may correct itself");
    let told: Vec<String> = bench
        .state
        .conversation(&bench.agent, &bench.task, u32::MAX)
        .into_iter()
        .filter_map(|m| match m {
            Message::ToolResult { content, is_error: true, .. } => Some(content.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 3);
    assert!(told[0].contains("ask_human, charge, read"), "it hears what there is: {}", told[0]);
    assert!(told[1].contains("no JSON") && told[2].contains("JSON object"), "{told:?}");
}

#[test]
fn what_a_provider_wants_to_see_again_comes_back_with_each_answer() {
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    bench.plan(vec![]);
    let (first, second) = (json!([{"signature": "c2ln"}]), json!({"id": 7}));
    let mut entries = Vec::new();
    let calling = ModelAnswer { opaque: Some(first.clone()), ..calls(&[("read", json!({}))]) };
    entries.extend(bench.answers(1, calling).run.unwrap().entries);
    entries.extend(bench.plan(vec![tool_ok(StepId::call(1, 0), json!(1))]).run.unwrap().entries);
    let empty = ModelAnswer { opaque: Some(second.clone()), ..ModelAnswer::default() };
    entries.extend(bench.answers(2, empty).run.unwrap().entries);

    let journal: Vec<Recorded> = (1..)
        .zip(&entries)
        .map(|(seq, entry)| Recorded { seq, epoch: 1, at: bench.now, entry: open(&seal(entry)).unwrap() })
        .collect();
    let replayed = State::replay(&bench.agent, &bench.task, &journal).unwrap();
    for state in [&bench.state, &replayed] {
        let messages = state.conversation(&bench.agent, &bench.task, u32::MAX);
        let opaque: Vec<Option<&Value>> = messages
            .iter()
            .filter_map(|m| if let Message::Assistant { opaque, .. } = m { Some(*opaque) } else { None })
            .collect();
        assert_eq!(opaque, [Some(&first), Some(&second)], "with calls, and where the answer was refused");
    }
}

#[test]
fn structured_output_is_repaired_within_limits() {
    let agent = samples::agent_with(
        json!({"name": "s", "model": "m", "output": {"schema": {"type": "object", "required": ["n"]}, "max_repairs": 1}}),
        vec![],
    );
    let mut bench = Bench::new(agent.clone(), samples::text_task());
    bench.plan(vec![]);
    let planned = bench.answers(1, says("no JSON at all"));
    assert_eq!(planned.effects, vec![Effect::Model { turn: 2 }]);
    assert!(matches!(
        &planned.run.as_ref().unwrap().entries[0],
        Entry::Turn(t) if matches!(&t.outcome, TurnOutcome::Answer { repair: Some(_), .. })
    ));
    let planned = bench.answers(2, says("```json\n{\"n\": 1}\n```"));
    assert_eq!(end_of(&planned), &End::Completed { output: json!({"n": 1}) });

    let mut bench = Bench::new(agent, samples::text_task());
    bench.plan(vec![]);
    bench.answers(1, says("{}"));
    let planned = bench.answers(2, says("{}"));
    assert!(matches!(end_of(&planned), End::Failed { error } if error.code == "output_invalid"));
}

#[test]
fn limits_of_steps_and_time_end_a_task() {
    let agent = samples::agent_with(
        json!({"name": "s", "model": "m", "limits": {"max_steps": 3}}),
        vec![samples::tool("read", spec::Effect::None, None)],
    );
    let mut bench = Bench::new(agent.clone(), samples::text_task());
    bench.plan(vec![]);
    let planned = bench.answers(1, calls(&[("read", json!({})), ("read", json!({})), ("read", json!({}))]));
    assert!(planned.effects.is_empty(), "calls beyond the limit are not performed");
    assert!(matches!(end_of(&planned), End::Failed { error } if error.code == "limit_exceeded"));

    let mut task = samples::text_task();
    task.deadline_at = Some(task.created_at + 1000);
    let mut bench = Bench::new(agent, task);
    assert_eq!(bench.plan(vec![]).effects.len(), 1);
    bench.now += 1000;
    assert!(
        matches!(end_of(&bench.plan(vec![])), End::Failed { error } if error.code == "deadline_exceeded")
    );
}

#[test]
fn refused_and_cut_off_answers_are_typed_ends() {
    for (finish, code) in [(Finish::Refused, "model_refused"), (Finish::Length, "output_truncated")] {
        let mut bench = Bench::new(samples::agent(), samples::text_task());
        bench.plan(vec![]);
        let planned = bench.answers(1, ModelAnswer { text: "part".into(), finish, ..ModelAnswer::default() });
        assert!(matches!(end_of(&planned), End::Failed { error } if error.code == code));
    }
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    bench.plan(vec![]);
    let planned = bench.model(1, Err(TaskError::new("context_overflow", "too long")));
    assert!(matches!(end_of(&planned), End::Failed { error } if error.code == "context_overflow"));
}

#[test]
fn a_sleep_counts_from_the_commit_and_not_from_the_plan() {
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    bench.plan(vec![]);
    bench.commit_takes = 500;
    let planned = bench.answers(1, calls(&[("sleep", json!({"seconds": 2}))]));
    bench.commit_takes = 0;
    let After::Wait { waiting_for, wake_at, .. } = &planned.run.as_ref().unwrap().after else { panic!() };
    assert_eq!((waiting_for[0].kind, *wake_at), (WaitKind::Timer, Some(bench.now + 2000)));
    // The commit took 500 ms.
    bench.now += 2499;
    assert!(matches!(bench.plan(vec![]).run.unwrap().after, After::Wait { .. }), "not yet");
    bench.now += 1;
    let planned = bench.plan(vec![]);
    assert!(matches!(planned.run.unwrap().entries[0], Entry::TimerFired(_)));
    assert_eq!(planned.effects, vec![Effect::Model { turn: 2 }]);
}

#[test]
fn a_signal_before_its_wait_is_kept_and_taken_once() {
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    let body = InboxBody::Signal { name: "go".into(), payload: json!(1) };
    bench.inbox.push(InboxMessage { id: 1, body });
    bench.plan(vec![]);
    let wait = ("wait_signal", json!({"name": "go"}));
    let planned = bench.answers(1, calls(&[wait.clone(), wait]));
    let run = planned.run.unwrap();
    assert_eq!(run.entries.iter().filter(|e| matches!(e, Entry::Received(_))).count(), 1);
    let After::Wait { waiting_for, inbox_seen, .. } = run.after else { panic!() };
    assert_eq!((waiting_for.len(), inbox_seen), (1, 1), "the second wait still waits");
}

#[test]
fn an_equal_call_after_an_uncertain_one_needs_consent() {
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    bench.plan(vec![]);
    bench.answers(1, calls(&[("charge", json!({"n": 1}))]));
    let step = StepId::call(1, 0);
    let result = ToolResult::Uncertain { reason: "cut off".into() };
    let outcome = ToolOutcome { step, result, attempts: 1, took_ms: 1 };
    let planned = bench.plan(vec![Outcome::Tool { attempt: 1, outcome }]);
    let After::Wait { waiting_for, .. } = planned.run.unwrap().after else { panic!() };
    assert_eq!(waiting_for[0].kind, WaitKind::Uncertain);
    let decision = agenticai_domain::inbox::ResolveDecision::Done { result: json!("charged") };
    bench.inbox.push(InboxMessage { id: 1, body: InboxBody::Resolve { step, decision, by: None } });
    assert_eq!(bench.plan(vec![]).effects, vec![Effect::Model { turn: 2 }]);
    let planned = bench.answers(2, calls(&[("charge", json!({"n": 1})), ("charge", json!({"n": 2}))]));
    assert_eq!(planned.effects.len(), 1, "only the other call is sent");
    let waits = bench.state.waiting_for(&bench.agent);
    assert_eq!((waits.len(), waits[0].kind, waits[0].step), (1, WaitKind::Approval, StepId::call(2, 0)));
}

#[test]
fn a_late_outcome_changes_nothing() {
    let mut bench = Bench::new(samples::agent(), samples::text_task());
    bench.plan(vec![]);
    bench.answers(1, calls(&[("read", json!({}))]));
    bench.plan(vec![tool_ok(StepId::call(1, 0), json!("first"))]);
    let before = bench.state.next_seq();
    let planned = bench.plan(vec![
        tool_ok(StepId::call(1, 0), json!("second")),
        tool_ok(StepId::call(9, 9), json!("of no call")),
    ]);
    assert_eq!((planned.run, bench.state.next_seq()), (None, before));
}
