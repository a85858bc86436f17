//! What this process knows of its workers' heartbeat counters. A counter never falls: a database in which it is lower than
//! what was confirmed, or is not there, was restored to an earlier point.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::WorkerId;

/// The newest beat of each worker of this process that the database has confirmed.
#[derive(Default)]
pub(super) struct Vitals(Mutex<HashMap<WorkerId, i64>>);

impl Vitals {
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker was registered.
    pub(super) fn born(&self, worker: WorkerId) {
        self.lock().insert(worker, 0);
    }

    /// The newest beat that was confirmed; `None` where the worker is none of this process.
    pub(super) fn known(&self, worker: WorkerId) -> Option<i64> {
        self.lock().get(&worker).copied()
    }

    /// A beat was confirmed. `false` where the counter is not beyond the one that was confirmed before.
    pub(super) fn beaten(&self, worker: WorkerId, beats: i64) -> bool {
        match self.lock().get_mut(&worker) {
            Some(known) if beats <= *known => false,
            Some(known) => {
                *known = beats;
                true
            }
            None => true,
        }
    }

    /// Forgets a worker.
    pub(super) fn gone(&self, worker: WorkerId) {
        self.lock().remove(&worker);
    }
}
