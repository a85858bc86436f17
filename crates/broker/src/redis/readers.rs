//! Which processes read which tasks' streams, by their announcements.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agenticai_domain::ids::TaskId;

use crate::peer::ProcessId;

/// How long an announcement counts: two may be lost.
pub(super) const COUNTS_FOR: Duration = Duration::from_secs(5);

/// Tasks that are remembered; readers of more see the journal only.
const TASKS: usize = 200_000;

/// Readers in other processes, each until its announcement ceases to count.
#[derive(Default)]
pub(super) struct Readers {
    tasks: Mutex<HashMap<TaskId, Vec<(ProcessId, Instant)>>>,
    /// Number of entries of `tasks`, so that publishing to nobody takes no lock.
    known: AtomicUsize,
}

impl Readers {
    /// Notes an announcement.
    pub(super) fn note(&self, process: ProcessId, read: &[TaskId]) {
        let until = Instant::now() + COUNTS_FOR;
        let mut tasks = self.tasks();
        for task in read {
            if tasks.len() >= TASKS && !tasks.contains_key(task) {
                continue;
            }
            let readers = tasks.entry(*task).or_default();
            match readers.iter_mut().find(|(known, _)| *known == process) {
                Some((_, counts)) => *counts = until,
                None => readers.push((process, until)),
            }
        }
        self.known.store(tasks.len(), Ordering::Relaxed);
    }

    /// Whether a process reads the task.
    pub(super) fn any(&self, task: TaskId) -> bool {
        self.known.load(Ordering::Relaxed) > 0 && {
            let now = Instant::now();
            self.tasks().get(&task).is_some_and(|readers| readers.iter().any(|(_, until)| *until > now))
        }
    }

    /// The processes that read the task.
    pub(super) fn of(&self, task: TaskId) -> Vec<ProcessId> {
        if self.known.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let now = Instant::now();
        let tasks = self.tasks();
        let readers = tasks.get(&task).into_iter().flatten();
        readers.filter(|(_, until)| *until > now).map(|(process, _)| *process).collect()
    }

    /// Frees the memory of those whose announcements no longer count.
    pub(super) fn forget_the_gone(&self) {
        let now = Instant::now();
        let mut tasks = self.tasks();
        tasks.retain(|_, readers| {
            readers.retain(|(_, until)| *until > now);
            !readers.is_empty()
        });
        self.known.store(tasks.len(), Ordering::Relaxed);
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<TaskId, Vec<(ProcessId, Instant)>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
