//! The checker: reads journals, the stub's log and the clients' notes, and finds broken promises.
//!
//! It knows the rules, not the engine: what it reads are facts that were committed or observed, so that it can find
//! the engine at fault.

mod budgets;
mod calls;
mod journal;
mod log;
mod report;
mod rows;
mod streams;
mod threads;

use std::collections::{BTreeMap, BTreeSet};

use agenticai_domain::ids::{TaskId, ThreadId};
use agenticai_domain::journal::Recorded;
use agenticai_domain::spec::{AgentKind, Effect};
use agenticai_domain::task::TaskStatus;

pub use budgets::Account;
pub use log::{Call, read_log};
pub use report::{Counts, Report, Rule, Violation};
pub use rows::{Owner, Place, Snapshot, ThreadPlace};
pub use streams::Watched;

/// A task as the server shows it after everything has come to rest.
#[derive(Debug, Clone)]
pub struct TaskRecord {
    /// The task.
    pub id: TaskId,
    /// Whose child it is.
    pub parent: Option<TaskId>,
    /// The thread that it belongs to.
    pub thread: Option<ThreadId>,
    /// What the server says of it.
    pub status: TaskStatus,
    /// How its agent works.
    pub kind: AgentKind,
    /// Its whole journal.
    pub journal: Vec<Recorded>,
}

/// What a client noted of one creation, under one idempotency key.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The key.
    pub key: String,
    /// The id in each 200 or 201 that it got.
    pub ids: Vec<TaskId>,
}

/// A stretch of time in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub from_us: u64,
    /// Its end.
    pub until_us: u64,
}

/// Who held a task under an epoch: one incarnation of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incarnation {
    /// Microseconds since 1970 at its last beat, where it was declared dead.
    pub last_beat_us: Option<u64>,
    /// Whether somebody had killed, frozen or cut off its process.
    pub struck: bool,
}

impl Span {
    /// How much of it lies between two times, in microseconds.
    fn between(&self, from_us: u64, until_us: u64) -> u64 {
        self.until_us.min(until_us).saturating_sub(self.from_us.max(from_us))
    }
}

/// Everything that is joined.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every task that the server lists, children too.
    pub tasks: Vec<TaskRecord>,
    /// What the clients were promised.
    pub accepted: Vec<Accepted>,
    /// Every call that the stub saw.
    pub calls: Vec<Call>,
    /// Effects of the stub's tools by name, as the agents declare them.
    pub effects: BTreeMap<String, Effect>,
    /// Microseconds since 1970 just before each `kill -9`.
    pub kills: Vec<u64>,
    /// While a process that advances tasks stood still: what it decided before, it may do just after.
    pub frozen: Vec<Span>,
    /// While the database was killed, frozen or cut off from all: what a worker had to commit waited meanwhile.
    pub database_away: Vec<Span>,
    /// Who held which task under which epoch. Empty where nobody wrote it down: nothing is said of repeats then.
    pub owners: BTreeMap<(TaskId, u32), Incarnation>,
    /// The tables of a cluster's database, each at one moment.
    pub snapshots: Vec<Snapshot>,
    /// What those saw who followed tasks.
    pub watched: Vec<Watched>,
    /// The budget that pays for all tasks, where there is one.
    pub account: Option<Account>,
}

/// Joins the evidence and reports every broken rule with what was counted on the way.
pub fn check(evidence: &Evidence) -> Report {
    let mut report = Report::default();
    accepted(evidence, &mut report);
    for task in &evidence.tasks {
        journal::check(task, &mut report);
    }
    calls::check(evidence, &mut report);
    rows::check(&evidence.snapshots, &mut report);
    threads::check(evidence, &mut report);
    streams::check(evidence, &mut report);
    budgets::check(evidence, &mut report);
    report
}

/// The rules that journals must keep by themselves, without a stub's log.
pub fn check_journals(tasks: &[TaskRecord]) -> Report {
    let mut report = Report::default();
    report.counts.tasks = tasks.len();
    for task in tasks {
        journal::check(task, &mut report);
    }
    report
}

/// Every 201 has its task, and every key has one: no task came into being beside those that were answered.
fn accepted(evidence: &Evidence, report: &mut Report) {
    let listed: BTreeMap<TaskId, &TaskRecord> = evidence.tasks.iter().map(|task| (task.id, task)).collect();
    report.counts.tasks = evidence.tasks.len();
    report.counts.accepted = evidence.accepted.len();
    for note in &evidence.accepted {
        let Some(first) = note.ids.first() else { continue };
        if note.ids.iter().any(|id| id != first) {
            report.broken(Rule::KeyNamesOneTask, *first, format!("key {} got {:?}", note.key, note.ids));
        }
        match listed.get(first) {
            None => report.broken(Rule::AcceptedIsKept, *first, format!("key {}: no such task", note.key)),
            Some(task) if !task.status.is_terminal() => {
                report.broken(Rule::TasksEnd, *first, format!("it is still {}", task.status.as_str()));
            }
            Some(_) => {}
        }
    }
    let named: BTreeSet<TaskId> =
        evidence.accepted.iter().flat_map(|note| note.ids.iter().copied()).collect();
    for task in evidence.tasks.iter().filter(|task| task.parent.is_none() && !named.contains(&task.id)) {
        report.broken(
            Rule::KeyNamesOneTask,
            task.id,
            "no client was answered this task: its key made another one",
        );
    }
}

#[cfg(test)]
mod tests;
