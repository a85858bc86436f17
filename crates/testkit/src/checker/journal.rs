//! The rules that one journal must keep by itself.

use std::collections::{BTreeMap, BTreeSet};

use agenticai_domain::ids::StepId;
use agenticai_domain::inbox::{ApprovalDecision, InboxBody, ResolveDecision};
use agenticai_domain::journal::{Entry, Recorded, TurnOutcome};
use agenticai_domain::spec::AgentKind;
use agenticai_domain::task::TaskStatus;

use super::{Report, Rule, TaskRecord};

/// Checks one journal.
pub fn check(task: &TaskRecord, report: &mut Report) {
    let id = task.id;
    report.counts.entries += task.journal.len();
    order(task, report);
    ends(task, report);
    let mut turns = 0;
    let mut calls: BTreeSet<StepId> = BTreeSet::new();
    let mut results: BTreeSet<StepId> = BTreeSet::new();
    let mut messages = BTreeSet::new();
    if task.kind == AgentKind::Tool {
        calls.insert(StepId::call(1, 0));
    }
    for recorded in &task.journal {
        match &recorded.entry {
            Entry::Turn(turn) => {
                turns += 1;
                if turn.turn != turns {
                    report.broken(
                        Rule::TurnsWithoutHoles,
                        id,
                        format!("turn {} came as {turns}.", turn.turn),
                    );
                }
                if let TurnOutcome::Answer { calls: made, .. } = &turn.outcome {
                    calls.extend((0..made.len()).map(|call| StepId::call(turn.turn, call as u32)));
                }
            }
            Entry::Received(received) if !messages.insert(received.message.id) => {
                let message = received.message.id;
                report.broken(Rule::MessageConsumedOnce, id, format!("message {message} was consumed twice"));
            }
            _ => {}
        }
        if let Some(step) = result_of(&recorded.entry) {
            if !calls.contains(&step) {
                report.broken(
                    Rule::OneResultPerStep,
                    id,
                    format!("{step} has a result and no turn before it"),
                );
            }
            if !results.insert(step) {
                report.broken(Rule::OneResultPerStep, id, format!("{step} has two results"));
            }
        }
    }
}

/// Seqs, epochs and times.
fn order(task: &TaskRecord, report: &mut Report) {
    for (place, recorded) in task.journal.iter().enumerate() {
        if recorded.seq != place as u64 + 1 {
            report.broken(
                Rule::SeqWithoutHoles,
                task.id,
                format!("seq {} at place {}", recorded.seq, place + 1),
            );
            break;
        }
    }
    for pair in task.journal.windows(2) {
        let [earlier, later] = pair else { continue };
        if later.epoch < earlier.epoch {
            let detail = format!("epoch {} follows {} at seq {}", later.epoch, earlier.epoch, later.seq);
            report.broken(Rule::EpochNeverFalls, task.id, detail);
        }
        if later.at < earlier.at {
            report.broken(
                Rule::TimeNeverFalls,
                task.id,
                format!("seq {} is earlier than the one before", later.seq),
            );
        }
    }
    let epochs: BTreeSet<u32> = task.journal.iter().map(|r| r.epoch).collect();
    report.counts.taken_over += usize::from(epochs.len() > 1);
}

/// Exactly one terminal entry, the last, saying what the task's state says. A task that has not ended has none.
fn ends(task: &TaskRecord, report: &mut Report) {
    let ends: Vec<(usize, TaskStatus)> = (task.journal.iter().enumerate())
        .filter_map(|(place, recorded)| Some((place, end_of(task.kind, &recorded.entry)?)))
        .collect();
    match ends.as_slice() {
        [] if !task.status.is_terminal() => {}
        [(place, status)] => {
            if place + 1 != task.journal.len() {
                report.broken(
                    Rule::OneEndAndLast,
                    task.id,
                    format!("entries follow the end at place {}", place + 1),
                );
            }
            if *status != task.status {
                let detail = format!("it is {}, its journal says {}", task.status.as_str(), status.as_str());
                report.broken(Rule::StatusAsJournaled, task.id, detail);
            }
        }
        ends => report.broken(Rule::OneEndAndLast, task.id, format!("{} terminal entries", ends.len())),
    }
}

/// The state in which an entry leaves its task, where it ends it.
fn end_of(kind: AgentKind, entry: &Entry) -> Option<TaskStatus> {
    let by_result = |ok: bool| {
        let status = if ok { TaskStatus::Completed } else { TaskStatus::Failed };
        (kind == AgentKind::Tool).then_some(status)
    };
    match entry {
        Entry::Ended(ended) => Some(ended.end.status()),
        Entry::Turn(turn) => match &turn.outcome {
            TurnOutcome::Failed { .. } => Some(TaskStatus::Failed),
            TurnOutcome::Answer { calls, repair, .. } => {
                (calls.is_empty() && repair.is_none()).then_some(TaskStatus::Completed)
            }
        },
        Entry::CallEnded(ended) => by_result(is_ok(&ended.outcome)),
        Entry::Received(received) => match &received.message.body {
            InboxBody::Resolve { decision: ResolveDecision::Cancel, .. } => Some(TaskStatus::Cancelled),
            InboxBody::Resolve { decision: ResolveDecision::Done { .. }, .. } => by_result(true),
            InboxBody::Approval { decision: ApprovalDecision::Reject { .. }, .. } => by_result(false),
            InboxBody::Signal { .. } | InboxBody::Input { .. } => by_result(true),
            _ => None,
        },
        _ => None,
    }
}

fn is_ok(outcome: &agenticai_domain::journal::CallOutcome) -> bool {
    matches!(outcome, agenticai_domain::journal::CallOutcome::Ok { .. })
}

/// The step that an entry gives a result to, so that it must never be performed again.
pub fn result_of(entry: &Entry) -> Option<StepId> {
    match entry {
        Entry::CallEnded(ended) => Some(ended.step),
        Entry::TimerFired(fired) => Some(fired.step),
        Entry::Received(received) => match &received.message.body {
            InboxBody::Resolve { decision: ResolveDecision::NotDone | ResolveDecision::Cancel, .. } => None,
            InboxBody::Approval {
                decision: ApprovalDecision::Approve | ApprovalDecision::Edit { .. },
                ..
            } => None,
            _ => Some(received.step),
        },
        _ => None,
    }
}

/// The entry that committed each step's result first. Model calls by their turn.
pub fn commits(journal: &[Recorded]) -> BTreeMap<StepId, &Recorded> {
    let mut commits = BTreeMap::new();
    for recorded in journal {
        let step = match &recorded.entry {
            Entry::Turn(turn) => Some(StepId::model(turn.turn)),
            entry => result_of(entry),
        };
        if let Some(step) = step {
            commits.entry(step).or_insert(recorded);
        }
    }
    commits
}
