//! Warnings that would come again with every try while the store is away.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the same is said.
const EVERY: Duration = Duration::from_secs(10);

/// A warning of `tracing` that is given once in ten seconds at most for all of the process, with the number of those that
/// were held back meanwhile.
macro_rules! warn_seldom {
    ($($said:tt)*) => {{
        static QUIET: $crate::quiet::Quiet = $crate::quiet::Quiet::new();
        QUIET.say(|held_back| tracing::warn!(held_back, $($said)*));
    }};
}
pub(crate) use warn_seldom;

/// Says something once in ten seconds at most, however often and by however many it is tried. See [`warn_seldom`].
#[derive(Debug)]
pub struct Quiet(Mutex<Said>);

#[derive(Debug)]
struct Said {
    at: Option<Instant>,
    held_back: u64,
}

impl Quiet {
    /// Nothing was said yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Said { at: None, held_back: 0 }))
    }

    /// Calls `say` with the number of times that it was not called since it was called last, unless that was less than
    /// ten seconds ago.
    pub fn say(&self, say: impl FnOnce(u64)) {
        if let Some(held_back) = self.due(Instant::now()) {
            say(held_back);
        }
    }

    fn due(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.at.is_some_and(|at| now.duration_since(at) < EVERY) {
            said.held_back += 1;
            return None;
        }
        said.at = Some(now);
        Some(std::mem::take(&mut said.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_too_soon_is_counted() {
        let (quiet, begin) = (Quiet::new(), Instant::now());
        let at = |seconds| quiet.due(begin + Duration::from_secs(seconds));
        assert_eq!(
            [at(0), at(1), at(9), at(10), at(11), at(30)],
            [Some(0), None, None, Some(2), None, Some(1)]
        );
    }
}
