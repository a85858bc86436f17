//! The rules that tables of a cluster's database must keep at any moment, and those for when everything rests.

use agenticai_domain::ids::TaskId;

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
    /// When it is to be woken, milliseconds since 1970.
    pub wake_at: Option<i64>,
    /// Signals that came and were not consumed, and that it waits for; read only where everything rests.
    pub unheard: Vec<String>,
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
        for place in &snapshot.places {
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
    let places = usize::from(place.owner.is_some()) + usize::from(place.ready) + usize::from(place.waits);
    let sound = if place.ended { places == 0 } else { places == 1 && (held || place.owner.is_none()) };
    if !sound {
        report.broken(Rule::OnePlace, place.task, format!("{place:?} (at rest: {})", snapshot.at_rest));
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
