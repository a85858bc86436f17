//! The rules that join the stub's calls with the journals.

use std::collections::{BTreeMap, HashMap};

use agenticai_domain::ids::StepId;
use agenticai_domain::journal::{CallOutcome, Entry, Recorded, TurnOutcome};
use agenticai_domain::spec::{AgentKind, Effect};

use super::journal::commits;
use super::{Call, Evidence, Report, Rule, Span, TaskRecord};

/// Checks every call against its task's journal, and every journaled result against the calls.
pub fn check(evidence: &Evidence, report: &mut Report) {
    count(evidence, report);
    let mut by_task: HashMap<&str, BTreeMap<StepId, Vec<&Call>>> = HashMap::new();
    for call in &evidence.calls {
        let Some(task) = call.task.as_deref() else { continue };
        match call.step.as_deref().map(str::parse::<StepId>) {
            Some(Ok(step)) => by_task.entry(task).or_default().entry(step).or_default().push(call),
            _ => {
                report.broken(Rule::CallHasItsTask, task, format!("a call of `{}` names no step", call.what))
            }
        }
    }
    for task in &evidence.tasks {
        let steps = by_task.remove(task.id.to_string().as_str()).unwrap_or_default();
        for (step, calls) in &steps {
            check_step(evidence, task, *step, calls, report);
        }
        results(evidence, task, &steps, report);
    }
    for task in by_task.keys() {
        report.broken(Rule::CallHasItsTask, task, "calls were made for a task that does not exist");
    }
    keys(evidence, report);
}

fn count(evidence: &Evidence, report: &mut Report) {
    let counts = &mut report.counts;
    for call in &evidence.calls {
        match call.what.as_str() {
            "llm" => counts.model_calls += 1,
            tool => *counts.tool_calls.entry(tool.to_owned()).or_default() += 1,
        }
        counts.untagged += usize::from(call.task.is_none());
    }
    let uncertain = |r: &&Recorded| matches!(r.entry, Entry::CallUncertain(_));
    counts.uncertain = evidence.tasks.iter().map(|task| task.journal.iter().filter(uncertain).count()).sum();
    counts.kills = evidence.kills.len();
    let in_flight = |at: &&u64| evidence.calls.iter().any(|call| call.in_flight_at(**at));
    counts.kills_in_flight = evidence.kills.iter().filter(in_flight).count();
}

/// The rules about the calls of one step.
fn check_step(evidence: &Evidence, task: &TaskRecord, step: StepId, calls: &[&Call], report: &mut Report) {
    let Some(first) = calls.first() else { return };
    if calls.len() > 1 {
        *report.counts.repeated.entry(first.what.clone()).or_default() += 1;
        if first.what == "llm" {
            report.counts.model_repeats += calls.len() - 1;
            repeats(evidence, task, step, calls, report);
        }
    }
    if let Some(commit) = commits(&task.journal).get(&step) {
        // Times of entries are cut to milliseconds: a call of the same millisecond may have begun before.
        let committed_us = (commit.at.max(0).unsigned_abs() + 1) * 1000;
        for call in calls.iter().filter(|call| call.begin_us >= committed_us) {
            if by_a_woken(&evidence.frozen, call, commit.epoch, committed_us) {
                report.counts.by_woken += 1;
                continue;
            }
            let late = call.begin_us - committed_us;
            report.broken(
                Rule::NoCallAfterCommit,
                task.id,
                format!("`{}` of step {step} began {late} us after its commit", call.what),
            );
        }
    }
    if calls.iter().any(|call| call.key != first.key || call.key.is_none()) {
        let keys: Vec<_> = calls.iter().map(|call| &call.key).collect();
        report.broken(Rule::OneKeyPerStep, task.id, format!("step {step} was called with the keys {keys:?}"));
    }
    if evidence.effects.get(&first.what) == Some(&Effect::Once) {
        once(task, step, calls, report);
    }
}

/// How long after it was continued a process may still send what it had decided to send before it was frozen.
const WAKING_US: u64 = 1_000_000;

/// Whether a call comes from a process that was frozen between its check of the lease and its send: the caller held the
/// task before the one who committed, was frozen when that happened, and has just been continued.
fn by_a_woken(frozen: &[Span], call: &Call, committed_under: u32, committed_us: u64) -> bool {
    call.epoch.is_some_and(|epoch| epoch < committed_under)
        && frozen.iter().any(|span| {
            span.from_us < committed_us
                && span.until_us <= call.begin_us
                && call.begin_us - span.until_us < WAKING_US
        })
}

/// A model is paid again only where the answer before was lost with the process that had asked for it: that one held the
/// task under an earlier epoch, was declared dead, and had the call in flight, or its answer under way to the journal,
/// when it was last heard of. While the database is away, answers stay under way.
fn repeats(evidence: &Evidence, task: &TaskRecord, step: StepId, calls: &[&Call], report: &mut Report) {
    /// How long an answer may be under way to the journal.
    const UNDER_WAY_US: u64 = 2_000_000;
    if evidence.owners.is_empty() {
        return;
    }
    let away = |from, until| evidence.database_away.iter().map(|span| span.between(from, until)).sum::<u64>();
    let in_flight = |call: &Call, beat: u64| {
        call.over_us().is_none_or(|over| over + UNDER_WAY_US + away(over, beat) >= beat)
    };
    let mut in_order = calls.to_vec();
    in_order.sort_by_key(|call| (call.epoch, call.begin_us));
    for pair in in_order.windows(2) {
        let [lost, again] = pair else { continue };
        let owner = lost.epoch.and_then(|epoch| evidence.owners.get(&(task.id, epoch)));
        let last_beat_us = owner.and_then(|owner| owner.last_beat_us);
        if lost.epoch < again.epoch && last_beat_us.is_some_and(|beat| in_flight(lost, beat)) {
            match owner.is_some_and(|owner| owner.struck) {
                true => report.counts.model_repeats_struck += 1,
                false => report.counts.model_repeats_lost += 1,
            }
            continue;
        }
        let took_ms = lost.over_us().map(|over| over.saturating_sub(lost.begin_us) / 1000);
        let detail = format!(
            "step {step} was asked under epoch {:?} ({}, {took_ms:?} ms) and again under {:?} {} ms later; it had been held by {owner:?}",
            lost.epoch,
            if lost.end_us.is_some() { "answered" } else { "not answered" },
            again.epoch,
            again.begin_us.saturating_sub(lost.begin_us) / 1000,
        );
        report.broken(Rule::RepeatsHaveCauses, task.id, detail);
    }
}

/// A `once` call: the n-th call needs the n-th `started`, committed before it. A second `started` follows only from a
/// person's word that the attempt before did not happen.
fn once(task: &TaskRecord, step: StepId, calls: &[&Call], report: &mut Report) {
    let started: Vec<&Recorded> = (task.journal.iter())
        .filter(|r| matches!(&r.entry, Entry::CallStarted(started) if started.step == step))
        .collect();
    let allowed = 1 + not_done(task, step);
    if calls.len() > allowed {
        let detail = format!("step {step} was sent {} times, {allowed} allowed", calls.len());
        report.broken(Rule::OnceNotRepeated, task.id, detail);
    }
    for (n, call) in calls.iter().enumerate() {
        match started.get(n) {
            None => report.broken(
                Rule::OnceStartedFirst,
                task.id,
                format!("call {} of {step} has no `started`", n + 1),
            ),
            Some(started) => {
                let early_us = (started.at.max(0).unsigned_abs() * 1000).saturating_sub(call.begin_us);
                if early_us > 0 {
                    let detail = format!("call {} of {step} came {early_us} us before `started`", n + 1);
                    report.broken(Rule::OnceStartedFirst, task.id, detail);
                }
            }
        }
    }
}

/// How often a person said that a step's call did not happen.
fn not_done(task: &TaskRecord, step: StepId) -> usize {
    use agenticai_domain::inbox::{InboxBody, ResolveDecision};
    let said = |r: &&Recorded| match &r.entry {
        Entry::Received(received) => {
            received.step == step
                && matches!(
                    received.message.body,
                    InboxBody::Resolve { decision: ResolveDecision::NotDone, .. }
                )
        }
        _ => false,
    };
    task.journal.iter().filter(said).count()
}

/// Every result that was journaled as an answer comes from an answered call, and a `once` result follows `started`.
fn results(
    evidence: &Evidence,
    task: &TaskRecord,
    steps: &BTreeMap<StepId, Vec<&Call>>,
    report: &mut Report,
) {
    let answered =
        |step: StepId| steps.get(&step).is_some_and(|calls| calls.iter().any(|c| c.end_us.is_some()));
    let mut tools: BTreeMap<StepId, &str> = BTreeMap::new();
    let mut started: Vec<StepId> = Vec::new();
    for recorded in &task.journal {
        match &recorded.entry {
            Entry::Turn(turn) => {
                if let TurnOutcome::Answer { calls, .. } = &turn.outcome {
                    if !answered(StepId::model(turn.turn)) {
                        report.broken(
                            Rule::ResultHasItsCall,
                            task.id,
                            format!("turn {} was not asked for", turn.turn),
                        );
                    }
                    let step = |(i, call): (usize, _)| (StepId::call(turn.turn, i as u32), call);
                    tools.extend(calls.iter().map(|c| c.name.as_str()).enumerate().map(step));
                }
            }
            Entry::CallStarted(call) => started.push(call.step),
            Entry::CallEnded(ended) if matches!(ended.outcome, CallOutcome::Ok { .. }) => {
                let called =
                    steps.get(&ended.step).and_then(|calls| calls.first()).map(|call| call.what.as_str());
                let tool = tools.get(&ended.step).copied().or(called);
                let Some(effect) = tool.and_then(|tool| evidence.effects.get(tool)) else { continue };
                if !answered(ended.step) {
                    report.broken(
                        Rule::ResultHasItsCall,
                        task.id,
                        format!("step {} was not called", ended.step),
                    );
                }
                if *effect == Effect::Once && !started.contains(&ended.step) {
                    let detail = format!("step {} has a result and no `started` before it", ended.step);
                    report.broken(Rule::StartedBeforeResult, task.id, detail);
                }
            }
            _ => {}
        }
    }
    let ended = task.journal.iter().any(|r| matches!(r.entry, Entry::CallEnded(_)));
    if task.kind == AgentKind::Tool && ended && steps.is_empty() && !evidence.effects.is_empty() {
        report.broken(Rule::ResultHasItsCall, task.id, "its one call was never made");
    }
}

/// No two steps share a key.
fn keys(evidence: &Evidence, report: &mut Report) {
    let mut owners: HashMap<&str, (&str, &str)> = HashMap::new();
    for call in &evidence.calls {
        let (Some(key), Some(task), Some(step)) = (&call.key, &call.task, &call.step) else { continue };
        let owner = *owners.entry(key).or_insert((task, step));
        if owner != (task.as_str(), step.as_str()) {
            report.broken(Rule::OneKeyPerStep, task, format!("step {step} uses the key of {owner:?}"));
        }
    }
}
