//! What those saw who followed tasks.

use std::collections::BTreeMap;

use agenticai_domain::ids::TaskId;

use super::{Evidence, Report, Rule, TaskRecord};

/// A task that was followed to its end.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The task.
    pub task: TaskId,
    /// The SSE ids in the order in which they came, over all connections.
    pub ids: Vec<u64>,
    /// How many connections it took.
    pub connections: usize,
}

/// Checks that each saw its task's journal.
pub fn check(evidence: &Evidence, report: &mut Report) {
    let tasks: BTreeMap<TaskId, &TaskRecord> = evidence.tasks.iter().map(|task| (task.id, task)).collect();
    for watched in &evidence.watched {
        report.counts.streams += 1;
        report.counts.stream_connections += watched.connections;
        let journal = tasks.get(&watched.task).map_or(&[][..], |task| &task.journal);
        if !watched.ids.iter().eq(journal.iter().map(|recorded| &recorded.seq)) {
            let (ids, entries) = (&watched.ids, journal.len());
            let detail = format!("ids {ids:?} over {} connections, {entries} entries", watched.connections);
            report.broken(Rule::StreamAsJournaled, watched.task, detail);
        }
    }
}
