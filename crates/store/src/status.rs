//! Numbers that both stores write into rows.

use agenticai_domain::task::TaskStatus;

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
