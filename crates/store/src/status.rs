//! Numbers that both stores write into rows.

use agenticai_domain::schedule::{FiringState, Overlap};
use agenticai_domain::task::TaskStatus;
use agenticai_domain::thread::IfActive;

/// Milliseconds of waiting that one step of priority is worth. Ageing is a constant in the key of the queue, so that a
/// claim reads its head and computes nothing.
pub(crate) const PRIORITY_MS: i64 = 10_000;

/// A status as it stands in a row.
pub(crate) fn status_number(status: TaskStatus) -> i16 {
    match status {
        TaskStatus::Pending => 0,
        TaskStatus::Running => 1,
        TaskStatus::Waiting => 2,
        TaskStatus::Completed => 3,
        TaskStatus::Failed => 4,
        TaskStatus::Cancelled => 5,
    }
}

/// The status of a number, if it is one.
pub(crate) fn status_of(number: i64) -> Option<TaskStatus> {
    usize::try_from(number).ok().and_then(|place| TaskStatus::ALL.get(place).copied())
}

/// What a schedule does while its task is open, as it stands in a row.
pub(crate) const fn overlap_number(overlap: Overlap) -> i16 {
    match overlap {
        Overlap::Skip => 0,
        Overlap::Queue => 1,
        Overlap::Replace => 2,
    }
}

/// What a new task does to the active one of its thread, as functions of the database are told.
pub(crate) const fn if_active_number(if_active: IfActive) -> i16 {
    match if_active {
        IfActive::Queue => 0,
        IfActive::Reject => 1,
        IfActive::Interrupt => 2,
        IfActive::Replace => 3,
    }
}

/// What came of a firing as it stands in a row.
pub(crate) const fn firing_number(state: FiringState) -> i16 {
    match state {
        FiringState::Created => 0,
        FiringState::Queued => 1,
        FiringState::Skipped => 2,
        FiringState::Replaced => 3,
        FiringState::Failed => 4,
    }
}

/// The state of a number, if it is one.
pub(crate) fn firing_of(number: i16) -> Option<FiringState> {
    FiringState::ALL.into_iter().find(|state| firing_number(*state) == number)
}
