//! Plants each violation in evidence that is sound, and demands that it is found: a checker that finds nothing
//! proves nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use agenticai_domain::ids::StepId;
use agenticai_domain::inbox::{InboxBody, InboxMessage, ResolveDecision};
use agenticai_domain::journal::{
    CallEnded, CallOutcome, CallStarted, CallUncertain, Ended, ModelAttempt, Received, ToolCall, Turn,
};
use agenticai_domain::task::{End, TaskError};
use agenticai_domain::usage::Spend;
use serde_json::json;
use uuid::Uuid;

use super::*;
use agenticai_domain::journal::{Entry, TurnOutcome};

/// Milliseconds at which the story begins.
const T: i64 = 1_700_000_000_000;

fn turn(number: u32, tools: &[&str]) -> Entry {
    let call = |name: &&str| ToolCall {
        id: "c".into(),
        name: (*name).to_owned(),
        arguments: json!({}),
        rejected: None,
    };
    let text = if tools.is_empty() { "done" } else { "" }.to_owned();
    let attempt = ModelAttempt {
        provider: "stub".into(),
        model: "m".into(),
        dialect: "openai".into(),
        format: 1,
        sha256: String::new(),
    };
    let outcome = TurnOutcome::Answer {
        text,
        calls: tools.iter().map(call).collect(),
        repair: None,
        output: None,
        opaque: None,
    };
    Entry::Turn(Box::new(Turn {
        turn: number,
        request: attempt,
        outcome,
        spend: Spend::default(),
        attempts: 1,
        took_ms: 1,
    }))
}

fn started(step: StepId, attempt: u32) -> Entry {
    Entry::CallStarted(CallStarted { step, attempt, child: None })
}

fn ended(step: StepId) -> Entry {
    let outcome = CallOutcome::Ok { content: json!("ok") };
    Entry::CallEnded(CallEnded { step, outcome, attempts: 1, took_ms: 1 })
}

fn resolved(message: u64, step: StepId, decision: ResolveDecision) -> Entry {
    let body = InboxBody::Resolve { step, decision, by: None };
    Entry::Received(Received { message: InboxMessage { id: message, body }, step })
}

fn call(what: &str, task: TaskId, step: StepId, begin_ms: i64, end_ms: Option<i64>) -> Call {
    Call {
        what: what.into(),
        task: Some(task.to_string()),
        step: Some(step.to_string()),
        epoch: Some(1),
        key: Some(step.idempotency_key(task)),
        begin_us: (T + begin_ms) as u64 * 1000,
        end_us: end_ms.map(|ms| (T + ms) as u64 * 1000),
        gone_us: end_ms.is_none().then_some((T + 21) as u64 * 1000),
    }
}

const CHARGE: StepId = StepId { turn: 1, call: Some(0) };
const NOTE: StepId = StepId { turn: 1, call: Some(1) };

/// A task that charged (uncertain, then sent again on a person's word) and noted (repeated after a crash).
fn sound() -> Evidence {
    let id = TaskId(Uuid::from_u128(7));
    let story = [
        (1, 10, turn(1, &["charge", "note"])),
        (1, 10, started(CHARGE, 1)),
        (2, 50, Entry::CallUncertain(CallUncertain { step: CHARGE, attempt: 1, reason: "killed".into() })),
        (2, 60, ended(NOTE)),
        (3, 70, resolved(1, CHARGE, ResolveDecision::NotDone)),
        (3, 70, started(CHARGE, 2)),
        (3, 90, ended(CHARGE)),
        (3, 99, turn(2, &[])),
    ];
    let journal = (story.into_iter().enumerate())
        .map(|(i, (epoch, at, entry))| Recorded { seq: i as u64 + 1, epoch, at: T + at, entry })
        .collect();
    let calls = vec![
        call("llm", id, StepId::model(1), 1, Some(9)),
        call("charge", id, CHARGE, 11, None),
        call("note", id, NOTE, 12, None),
        call("note", id, NOTE, 52, Some(59)),
        call("charge", id, CHARGE, 72, Some(88)),
        call("llm", id, StepId::model(2), 92, Some(98)),
    ];
    Evidence {
        tasks: vec![TaskRecord {
            id,
            parent: None,
            thread: None,
            status: TaskStatus::Completed,
            kind: AgentKind::React,
            journal,
        }],
        accepted: vec![Accepted { key: "k".into(), ids: vec![id, id] }],
        calls,
        effects: [("charge", Effect::Once), ("note", Effect::Idempotent), ("lookup", Effect::None)]
            .map(|(tool, effect)| (tool.to_owned(), effect))
            .into(),
        kills: vec![(T + 20) as u64 * 1000, (T + 40) as u64 * 1000],
        snapshots: vec![
            Snapshot {
                now: T,
                places: vec![Place { owner: Some(Owner::Dead), ended: false, ..nowhere(id) }],
                ..at_rest(false)
            },
            Snapshot { now: T + 100_000, places: vec![nowhere(id)], ..at_rest(true) },
        ],
        watched: vec![Watched { task: id, ids: (1..=8).collect(), connections: 2 }],
        ..Evidence::default()
    }
}

fn at_rest(at_rest: bool) -> Snapshot {
    Snapshot { at_rest, ..Snapshot::default() }
}

/// A task that has ended.
fn nowhere(task: TaskId) -> Place {
    Place {
        task,
        ended: true,
        waits: false,
        ready: false,
        owner: None,
        thread: None,
        wake_at: None,
        unheard: Vec::new(),
    }
}

fn span(from_ms: i64, until_ms: i64) -> Span {
    Span { from_us: (T + from_ms) as u64 * 1000, until_us: (T + until_ms) as u64 * 1000 }
}

#[test]
fn sound_evidence_passes_and_is_counted() {
    let report = check(&sound());
    assert!(report.violations.is_empty(), "{report}");
    let counts = report.counts;
    assert_eq!((counts.tasks, counts.entries, counts.model_calls, counts.uncertain), (1, 8, 2, 1));
    assert_eq!((counts.kills, counts.kills_in_flight, counts.untagged, counts.taken_over), (2, 1, 0, 1));
    assert_eq!(counts.repeated, [("charge".to_owned(), 1), ("note".to_owned(), 1)].into());
}

/// What is done to sound evidence.
type Plant = fn(&mut Evidence);

#[test]
fn every_planted_violation_is_found() {
    let plants: &[(&str, Rule, Plant)] = &[
        ("a task vanishes", Rule::AcceptedIsKept, |e| e.tasks.clear()),
        ("a task never ends", Rule::TasksEnd, |e| {
            e.tasks[0].status = TaskStatus::Running;
            e.tasks[0].journal.pop();
        }),
        ("a key makes two tasks", Rule::KeyNamesOneTask, |e| {
            e.accepted[0].ids.push(TaskId(Uuid::from_u128(8)))
        }),
        ("a hole", Rule::SeqWithoutHoles, |e| drop(e.tasks[0].journal.remove(3))),
        ("an epoch falls", Rule::EpochNeverFalls, |e| e.tasks[0].journal[6].epoch = 2),
        ("a time falls", Rule::TimeNeverFalls, |e| e.tasks[0].journal[6].at = T),
        ("an entry after the end", Rule::OneEndAndLast, |e| {
            let cancelled = End::Cancelled { error: TaskError::new("cancelled", "late") };
            push(e, Entry::Ended(Ended { end: cancelled }));
        }),
        ("no end", Rule::OneEndAndLast, |e| drop(e.tasks[0].journal.pop())),
        ("another state than journaled", Rule::StatusAsJournaled, |e| e.tasks[0].status = TaskStatus::Failed),
        ("a turn is missing", Rule::TurnsWithoutHoles, |e| e.tasks[0].journal[7].entry = turn(3, &[])),
        ("two results", Rule::OneResultPerStep, |e| e.tasks[0].journal[6].entry = ended(NOTE)),
        ("a result without a turn", Rule::OneResultPerStep, |e| {
            e.tasks[0].journal[3].entry = ended(StepId::call(2, 0));
        }),
        ("a message is consumed twice", Rule::MessageConsumedOnce, |e| {
            e.tasks[0].journal[5].entry = resolved(1, CHARGE, ResolveDecision::NotDone);
        }),
        ("a call after the commit", Rule::NoCallAfterCommit, |e| {
            let id = e.tasks[0].id;
            e.calls.push(call("note", id, NOTE, 62, Some(64)));
        }),
        ("a model call after the commit", Rule::NoCallAfterCommit, |e| {
            let id = e.tasks[0].id;
            e.calls.push(call("llm", id, StepId::model(1), 30, Some(31)));
        }),
        ("a call after a person's `done`", Rule::NoCallAfterCommit, |e| {
            let done = ResolveDecision::Done { result: json!(1) };
            e.tasks[0].journal[4].entry = resolved(1, CHARGE, done);
        }),
        ("a charge is repeated", Rule::OnceNotRepeated, |e| {
            let id = e.tasks[0].id;
            e.calls.insert(2, call("charge", id, CHARGE, 51, Some(55)));
        }),
        ("a charge without `started`", Rule::OnceStartedFirst, |e| {
            e.tasks[0].journal[1].entry = resolved(9, CHARGE, ResolveDecision::NotDone);
        }),
        ("a charge before `started`", Rule::OnceStartedFirst, |e| {
            e.calls[1].begin_us = (T + 9) as u64 * 1000
        }),
        ("a charge's result without `started`", Rule::StartedBeforeResult, |e| {
            for place in [1, 5] {
                e.tasks[0].journal[place].entry =
                    resolved(5 + place as u64, CHARGE, ResolveDecision::NotDone);
            }
        }),
        ("a key changes", Rule::OneKeyPerStep, |e| e.calls[3].key = Some("other".into())),
        ("a key is missing", Rule::OneKeyPerStep, |e| e.calls[3].key = None),
        ("two steps share a key", Rule::OneKeyPerStep, |e| {
            e.calls[0].key = Some("same".into());
            e.calls[5].key = Some("same".into());
        }),
        ("a result out of nothing", Rule::ResultHasItsCall, |e| e.calls[3].end_us = None),
        ("a turn out of nothing", Rule::ResultHasItsCall, |e| drop(e.calls.pop())),
        ("a call for no task", Rule::CallHasItsTask, |e| {
            e.calls.push(call("llm", TaskId(Uuid::from_u128(9)), StepId::model(1), 1, Some(2)));
        }),
        ("a call for no step", Rule::CallHasItsTask, |e| e.calls[0].step = None),
        ("a resend makes a second task", Rule::KeyNamesOneTask, |e| {
            let twin = TaskRecord { id: TaskId(Uuid::from_u128(8)), ..e.tasks[0].clone() };
            e.tasks.push(twin);
        }),
        ("a call after the commit by one who was frozen at another time", Rule::NoCallAfterCommit, |e| {
            late_note(e, 1);
            e.frozen = vec![span(61, 62), span(10, 63 - 1_500)];
        }),
        ("a call after the commit by one who is no zombie", Rule::NoCallAfterCommit, |e| {
            late_note(e, 2);
            e.frozen = vec![span(30, 62)];
        }),
        ("an open task is nowhere", Rule::OnePlace, |e| e.snapshots[0].places[0].owner = None),
        ("an open task is in two places", Rule::OnePlace, |e| e.snapshots[0].places[0].ready = true),
        ("a task belongs to one who is gone", Rule::OnePlace, |e| {
            e.snapshots[0].places[0].owner = Some(Owner::Gone)
        }),
        ("a dead worker's task is left lying", Rule::OnePlace, |e| e.snapshots[0].at_rest = true),
        ("an ended task is in the queue", Rule::OnePlace, |e| e.snapshots[1].places[0].ready = true),
        ("an ended task waits", Rule::OnePlace, |e| e.snapshots[1].places[0].waits = true),
        ("a row of no task", Rule::OnePlace, |e| e.snapshots[1].strays = 1),
        ("a timer does not ring", Rule::TimersRing, |e| {
            let place = &mut e.snapshots[1].places[0];
            (place.ended, place.waits, place.wake_at) = (false, true, Some(T));
        }),
        ("a signal does not wake", Rule::SignalsWake, |e| {
            let place = &mut e.snapshots[1].places[0];
            (place.ended, place.waits, place.unheard) = (false, true, vec!["go".into()]);
        }),
        ("a model is asked again without a cause", Rule::RepeatsHaveCauses, |e| asked_again(e, None)),
        ("a model is asked again long after it answered", Rule::RepeatsHaveCauses, |e| {
            asked_again(e, Some(2_001))
        }),
        ("a worker asks a model twice", Rule::RepeatsHaveCauses, |e| {
            asked_again(e, Some(1));
            e.calls[0].epoch = Some(1);
        }),
        ("two tasks of a thread at once", Rule::OneActivePerThread, |e| second_of_thread(e, 97)),
        ("two active tasks of a thread", Rule::OneActivePerThread, |e| thread_places(e)[1].ready = true),
        ("a task of a thread is nowhere", Rule::OnePlace, |e| {
            thread_places(e)[1].thread.as_mut().unwrap().queued = 0;
        }),
        ("a task is twice in its thread's queue", Rule::OnePlace, |e| {
            thread_places(e)[1].thread.as_mut().unwrap().queued = 2;
        }),
        ("a task of a thread runs before its turn", Rule::OnePlace, |e| {
            thread_places(e)[0].thread.as_mut().unwrap().active = false;
        }),
        ("an ended task keeps its turn", Rule::OnePlace, |e| {
            let places = thread_places(e);
            (places[0].ended, places[0].owner) = (true, None);
        }),
        ("a stream repeats an entry", Rule::StreamAsJournaled, |e| e.watched[0].ids.insert(3, 3)),
        ("a stream loses an entry", Rule::StreamAsJournaled, |e| e.watched[0].ids.truncate(7)),
    ];
    for (what, rule, plant) in plants {
        let mut evidence = sound();
        plant(&mut evidence);
        let report = check(&evidence);
        assert!(report.count(*rule) > 0, "{what}: {rule:?} was not found\n{report}");
    }
}

/// A note that was called again just after its commit, under an epoch.
fn late_note(evidence: &mut Evidence, epoch: u32) {
    let id = evidence.tasks[0].id;
    evidence.calls.push(Call { epoch: Some(epoch), ..call("note", id, NOTE, 63, Some(64)) });
}

#[test]
fn a_zombie_may_send_what_it_had_decided_before_it_was_frozen() {
    let mut evidence = sound();
    late_note(&mut evidence, 1);
    evidence.frozen = vec![span(30, 62)];
    let report = check(&evidence);
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.counts.by_woken, 1);
}

/// The first model call, made under epoch 0 and once more under 1 (answered at 9 ms); the worker that held the task under
/// epoch 0 was last heard of at `last_beat_ms`.
fn asked_again(evidence: &mut Evidence, last_beat_ms: Option<i64>) {
    let id = evidence.tasks[0].id;
    let lost = Call { epoch: Some(0), ..call("llm", id, StepId::model(1), -9, Some(-1)) };
    evidence.calls.insert(0, lost);
    let dead = Incarnation { last_beat_us: last_beat_ms.map(|ms| (T + ms) as u64 * 1000), struck: true };
    let alive = Incarnation { last_beat_us: None, struck: false };
    evidence.owners = [((id, 0), dead), ((id, 1), alive)].into();
}

#[test]
fn a_model_may_be_asked_again_where_the_answer_was_lost_with_a_worker() {
    let mut evidence = sound();
    asked_again(&mut evidence, Some(1_000));
    let report = check(&evidence);
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!((report.counts.model_repeats, report.counts.model_repeats_struck), (1, 1));
    evidence.owners.values_mut().for_each(|owner| owner.struck = false);
    assert_eq!(check(&evidence).counts.model_repeats_lost, 1);
    // The database was dead for a second while the answer was on its way.
    asked_again(&mut evidence, Some(2_900));
    evidence.calls.remove(0);
    assert_eq!(check(&evidence).count(Rule::RepeatsHaveCauses), 1);
    evidence.database_away = vec![span(-5, 995)];
    let report = check(&evidence);
    assert!(report.violations.is_empty(), "{report}");
}

/// A second task of a thread to which the first belongs, made of the same entries so many milliseconds later.
fn second_of_thread(evidence: &mut Evidence, later_ms: i64) {
    let thread = Some(ThreadId(Uuid::from_u128(5)));
    let (first, id) = (evidence.tasks[0].id, TaskId(Uuid::from_u128(8)));
    let mut second = TaskRecord { id, thread, ..evidence.tasks[0].clone() };
    second.journal.iter_mut().for_each(|recorded| recorded.at += later_ms);
    let calls: Vec<Call> = (evidence.calls.iter().filter(|call| call.task == Some(first.to_string())))
        .map(|call| Call {
            task: Some(id.to_string()),
            key: call.step.as_deref().map(|step| step.parse::<StepId>().unwrap().idempotency_key(id)),
            begin_us: call.begin_us + later_ms as u64 * 1000,
            end_us: call.end_us.map(|us| us + later_ms as u64 * 1000),
            ..call.clone()
        })
        .collect();
    evidence.calls.extend(calls);
    evidence.tasks[0].thread = thread;
    evidence.tasks.push(second);
    evidence.accepted.push(Accepted { key: "second".into(), ids: vec![id] });
}

/// Two tasks of a thread at one moment: the one that is worked on, and one that stands aside.
fn thread_places(evidence: &mut Evidence) -> &mut Vec<Place> {
    let thread = ThreadId(Uuid::from_u128(5));
    let turn = ThreadPlace { thread, active: true, queued: 0, superseded: false };
    let places = &mut evidence.snapshots[0].places;
    places[0].thread = Some(turn);
    let other = nowhere(TaskId(Uuid::from_u128(8)));
    let aside = ThreadPlace { active: false, queued: 1, ..turn };
    places.push(Place { ended: false, thread: Some(aside), ..other });
    places
}

#[test]
fn a_budget_that_does_not_add_up_is_found() {
    let spent = |evidence: &mut Evidence| {
        let Entry::Turn(turn) = &mut evidence.tasks[0].journal[0].entry else { panic!("a turn comes first") };
        turn.spend.usage.input_tokens = 30;
    };
    let account = Account { max_tokens: 40, spent_tokens: 30, reserved_tokens: 0 };
    for (account, broken) in [
        (account, 0),
        (Account { spent_tokens: 31, ..account }, 1),
        (Account { reserved_tokens: 1, ..account }, 1),
        (Account { max_tokens: 29, ..account }, 1),
    ] {
        let mut evidence = sound();
        spent(&mut evidence);
        evidence.account = Some(account);
        let report = check(&evidence);
        assert_eq!(report.count(Rule::BudgetsAddUp), broken, "{account:?}");
        assert_eq!(report.counts.tokens, 30);
    }
}

#[test]
fn tasks_of_a_thread_that_take_turns_pass() {
    let mut evidence = sound();
    second_of_thread(&mut evidence, 200);
    thread_places(&mut evidence);
    let report = check(&evidence);
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!((report.counts.threads, report.counts.queued), (1, 1));
    // The owner of one that was cancelled did not know it yet and made a call.
    let mut late = sound();
    second_of_thread(&mut late, 97);
    late.tasks[1].journal.iter_mut().for_each(|recorded| recorded.at = T);
    assert_eq!(check(&late).count(Rule::OneActivePerThread), 0);
    // One that gave way and one that gives way while it is active are in their places, too.
    let places = thread_places(&mut evidence);
    places.pop();
    for place in places.iter_mut() {
        if let Some(thread) = &mut place.thread {
            (thread.queued, thread.superseded) = (0, true);
        }
    }
    let report = check(&evidence);
    assert!(report.violations.is_empty(), "{report}");
}

#[test]
fn every_invariant_has_its_line() {
    let lines = check(&sound()).invariants();
    assert_eq!((lines.lines().count(), lines.matches("holds").count()), (12, 12), "{lines}");
}

fn push(evidence: &mut Evidence, entry: Entry) {
    let journal = &mut evidence.tasks[0].journal;
    let last = journal.last().expect("a journal").clone();
    journal.push(Recorded { seq: last.seq + 1, entry, ..last });
}

#[test]
fn untagged_calls_are_counted() {
    let mut evidence = sound();
    evidence.calls[0].task = None;
    assert_eq!(check(&evidence).counts.untagged, 1);
}

#[test]
fn a_durable_job_ends_with_its_call() {
    let id = TaskId(Uuid::from_u128(3));
    let journal = vec![
        Recorded { seq: 1, epoch: 1, at: T + 1, entry: started(CHARGE, 1) },
        Recorded { seq: 2, epoch: 1, at: T + 9, entry: ended(CHARGE) },
    ];
    let mut evidence = Evidence {
        tasks: vec![TaskRecord {
            id,
            parent: None,
            thread: None,
            status: TaskStatus::Completed,
            kind: AgentKind::Tool,
            journal,
        }],
        calls: vec![call("charge", id, CHARGE, 2, Some(8))],
        watched: Vec::new(),
        ..sound()
    };
    evidence.accepted = vec![Accepted { key: "k".into(), ids: vec![id] }];
    let report = check(&evidence);
    assert!(report.violations.is_empty(), "{report}");
    evidence.calls.clear();
    assert!(check(&evidence).count(Rule::ResultHasItsCall) > 0);
}
