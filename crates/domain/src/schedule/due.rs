//! Which occurrences are to be fired at a moment.

use super::{CatchUp, Overlap, Rule, ScheduleSpec};

/// An occurrence that is fired at most this late was not missed: schedulers look several times a second, and a restart
/// takes a moment. Milliseconds.
pub const LATE_MS: i64 = 5_000;
/// Missed occurrences that are made up for at most.
pub const MOST_MISSED: usize = 100;

/// What to do about a schedule now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The occurrences to be fired, oldest first. Milliseconds since 1970.
    pub fire: Vec<i64>,
    /// The occurrence after them; `None` where there is none any more.
    pub next: Option<i64>,
}

/// What to do at `now` about a schedule whose next occurrence was known to be `next`.
///
/// Occurrences that are at most [`LATE_MS`] late are fired, all of them. Those before are missed: how many of them are
/// made up for is the schedule's own word ([`CatchUp`]), and never one that is older than its window. Under
/// [`Overlap::Replace`] only the newest of all is fired, for each would only cancel the one before.
pub fn due(spec: &ScheduleSpec, rule: &Rule, next: i64, now: i64) -> Due {
    if next > now {
        return Due { fire: Vec::new(), next: Some(next) };
    }
    let in_time = next.max(now.saturating_sub(LATE_MS));
    let oldest = next.max(now.saturating_sub(spec.window_ms()));
    let missed = match spec.catch_up {
        CatchUp::None => 0,
        CatchUp::One => 1,
        CatchUp::All => MOST_MISSED,
    };
    let mut fire = rule.newest(oldest, in_time - 1, missed);
    // Occurrences are whole seconds, so the bound leaves none out.
    fire.extend(rule.newest(in_time, now, (LATE_MS / 1000) as usize + 1));
    if spec.overlap == Overlap::Replace {
        fire.drain(..fire.len().saturating_sub(1));
    }
    Due { fire, next: rule.after(now) }
}
