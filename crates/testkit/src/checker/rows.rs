//! The rules that tables of a cluster's database must keep at any moment, and those for when everything rests.

use std::collections::BTreeMap;

use agenticai_domain::ids::{TaskId, ThreadId};

use super::{Report, Rule};

/// Who holds a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A worker that lives.
    Live,
    /// One that was declared dead and whose tasks are being taken over.
    Dead,
    /// One that is dead and was said to hold nothing any more, or that never was.
    Gone,
}

/// Where a task stands in its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadPlace {
    /// The thread.
    pub thread: ThreadId,
    /// Whether it is the thread's active one.
    pub active: bool,
    /// How often it is in the thread's queue.
    pub queued: usize,
    /// Whether it gave way to a newer one, and is to be cancelled.
    pub superseded: bool,
}

impl ThreadPlace {
    /// Places in the thread besides the turn: the queue, or among those that are cancelled before their turn.
    fn places(self) -> usize {
        self.queued + usize::from(self.superseded && !self.active)
    }
}

/// Where a task is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The task.
    pub task: TaskId,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether it waits.
    pub waits: bool,
    /// Whether it is in the queue.
    pub ready: bool,
    /// Who holds it.
    pub owner: Option<Owner>,
    /// Where it stands in its thread, if it belongs to one.
    pub thread: Option<ThreadPlace>,
    /// When it is to be woken, milliseconds since 1970.
    pub wake_at: Option<i64>,
    /// Signals that came and were not consumed, and that it waits for; read only where everything rests.
    pub unheard: Vec<String>,
}

impl Place {
    /// In how many of these it is: somebody's hands, the queue, a wait.
    fn active_places(&self) -> usize {
        usize::from(self.owner.is_some()) + usize::from(self.ready) + usize::from(self.waits)
    }
}

/// All tasks of a database at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The database's clock, milliseconds since 1970.
    pub now: i64,
    /// Whether everything was at rest: nothing was struck any more, and workers had time to mend what was.
    pub at_rest: bool,
    /// The tasks.
    pub places: Vec<Place>,
    /// Rows of the queue and of owners that belong to no task.
    pub strays: usize,
}

/// How late a timer may ring where nothing hinders it.
const LATE_MS: i64 = 5_000;

/// Checks every snapshot.
pub fn check(snapshots: &[Snapshot], report: &mut Report) {
    for snapshot in snapshots {
        report.counts.places += snapshot.places.len();
        if snapshot.strays > 0 {
            report.broken(Rule::OnePlace, "-", format!("{} rows belong to no task", snapshot.strays));
        }
        one_active(snapshot, report);
        for place in &snapshot.places {
            report.counts.queued += place.thread.map_or(0, |thread| thread.queued);
            one_place(snapshot, place, report);
            if snapshot.at_rest {
                woken(snapshot.now, place, report);
            }
        }
    }
}

fn one_place(snapshot: &Snapshot, place: &Place, report: &mut Report) {
    let held = match place.owner {
        Some(Owner::Live) => true,
        Some(Owner::Dead) => !snapshot.at_rest,
        Some(Owner::Gone) | None => false,
    };
    let aside = place.thread.map_or(0, ThreadPlace::places);
    let places = place.active_places() + aside;
    // In a thread whoever has no turn stands aside.
    let turn = place.thread.is_none_or(|thread| thread.active == (aside == 0));
    let sound = if place.ended {
        places == 0 && place.thread.is_none_or(|thread| !thread.active && !thread.superseded)
    } else {
        places == 1 && turn && (held || place.owner.is_none())
    };
    if !sound {
        report.broken(Rule::OnePlace, place.task, format!("{place:?} (at rest: {})", snapshot.at_rest));
    }
}

fn one_active(snapshot: &Snapshot, report: &mut Report) {
    let mut active: BTreeMap<ThreadId, Vec<TaskId>> = BTreeMap::new();
    for place in snapshot.places.iter().filter(|place| place.active_places() > 0) {
        if let Some(thread) = place.thread {
            active.entry(thread.thread).or_default().push(place.task);
        }
    }
    for (thread, tasks) in active.into_iter().filter(|(_, tasks)| tasks.len() > 1) {
        report.broken(Rule::OneActivePerThread, tasks[0], format!("of thread {thread} {tasks:?} are active"));
    }
}

fn woken(now: i64, place: &Place, report: &mut Report) {
    if let Some(wake_at) = place.wake_at.filter(|at| place.waits && at + LATE_MS < now) {
        report.broken(Rule::TimersRing, place.task, format!("it is {} ms overdue", now - wake_at));
    }
    if place.waits && !place.unheard.is_empty() {
        let detail = format!("it waits for {:?}, which came", place.unheard);
        report.broken(Rule::SignalsWake, place.task, detail);
    }
}
