//! Heartbeats, in memory.
//!
//! All workers of this store live in its own process: what a beat says need not outlive it, and a beat never waits for
//! the disk. Death does outlive it, because it refuses appends: it is decided here, so that no beat slips in after the
//! decision, and then written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Observed, WorkerId};

#[derive(Default)]
struct Pulse {
    beats: i64,
    /// Declared dead, perhaps not yet written.
    dying: bool,
}

/// The counters of all workers that are not known to be dead in the database.
#[derive(Default)]
pub(super) struct Beats {
    workers: Mutex<BTreeMap<WorkerId, Pulse>>,
}

impl Beats {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Pulse>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new worker.
    pub(super) fn add(&self, worker: WorkerId) {
        self.lock().insert(worker, Pulse::default());
    }

    /// Moves a counter; `false` where the worker is dead.
    pub(super) fn beat(&self, worker: WorkerId) -> bool {
        match self.lock().get_mut(&worker) {
            Some(pulse) if !pulse.dying => {
                pulse.beats += 1;
                true
            }
            _ => false,
        }
    }

    /// The counters. A worker whose death could not be written is still among them, so that its death is declared
    /// again.
    pub(super) fn all(&self) -> Vec<Observed> {
        let observed = |(worker, pulse): (&WorkerId, &Pulse)| Observed {
            worker: *worker,
            beats: pulse.beats,
            parted: false,
        };
        self.lock().iter().map(observed).collect()
    }

    /// Lets a worker beat no more, if its counter is still `beats` (`None`: whatever it is).
    pub(super) fn stop(&self, worker: WorkerId, beats: Option<i64>) -> bool {
        match self.lock().get_mut(&worker) {
            Some(pulse) if beats.is_none_or(|beats| beats == pulse.beats) => {
                pulse.dying = true;
                true
            }
            _ => false,
        }
    }

    /// Its death is written.
    pub(super) fn remove(&self, worker: WorkerId) {
        self.lock().remove(&worker);
    }
}
