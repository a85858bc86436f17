//! Where the journals end that this process appends to.
//!
//! A run that leaves a gap is a bug of the worker, and is refused before it is sent: asking the database each time
//! whether the entry before is there would open every partition of the journal for every batch.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agenticai_domain::ids::TaskId;

use crate::{Append, AppendOutcome, Claimed, Then, WorkerId};

/// Seqs of the newest entries, as far as they are known, of the tasks that workers of this process hold.
#[derive(Default)]
pub(super) struct Positions(Mutex<HashMap<WorkerId, HashMap<TaskId, u64>>>);

impl Positions {
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, HashMap<TaskId, u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over where claimed tasks stand.
    pub(super) fn claimed(&self, worker: WorkerId, claimed: &[Claimed]) {
        let mut positions = self.lock();
        let of_worker = positions.entry(worker).or_default();
        of_worker.extend(claimed.iter().map(|claimed| (claimed.head.id, claimed.last_seq)));
    }

    /// Why a run cannot be right, if it cannot.
    pub(super) fn gap(&self, worker: WorkerId, run: &Append) -> Option<String> {
        let positions = self.lock();
        let last = positions.get(&worker)?.get(&run.task)?;
        (run.first_seq > last + 1)
            .then(|| format!("the run begins at {}, but the journal ends at {last}", run.first_seq))
    }

    /// Learns from what came of a run.
    pub(super) fn appended(&self, worker: WorkerId, task: TaskId, end: Option<u64>, outcome: &AppendOutcome) {
        let mut positions = self.lock();
        let Some(of_worker) = positions.get_mut(&worker) else { return };
        match (outcome, end) {
            (AppendOutcome::Accepted { .. } | AppendOutcome::AlreadyMine { .. }, Some(end)) => {
                if let Some(last) = of_worker.get_mut(&task) {
                    *last = end.max(*last);
                }
            }
            (AppendOutcome::InboxMoved | AppendOutcome::Refused(_), _) => {}
            // It is no longer this worker's, or others have written what only a reader knows.
            _ => {
                of_worker.remove(&task);
            }
        }
    }

    /// Forgets what a worker no longer holds.
    pub(super) fn released(&self, worker: WorkerId, tasks: &[TaskId]) {
        if let Some(of_worker) = self.lock().get_mut(&worker) {
            for task in tasks {
                of_worker.remove(task);
            }
        }
    }

    /// Forgets a worker.
    pub(super) fn gone(&self, worker: WorkerId) {
        self.lock().remove(&worker);
    }
}

/// Where the journal ends after a run after which the worker goes on.
pub(super) fn end_of(run: &Append) -> Option<u64> {
    (run.then == Then::Continue)
        .then(|| run.first_seq.saturating_add(run.entries.len() as u64).saturating_sub(1))
}
