//! The store's time, carried on between its answers by this process's monotonic clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// The store's clock as this process knows it. It never goes back.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// Milliseconds to add to those since `started`.
    offset: AtomicI64,
    last: AtomicI64,
}

impl Clock {
    /// A clock that agrees with what the store has just said.
    pub fn new(store_now: i64) -> Self {
        Self { started: Instant::now(), offset: AtomicI64::new(store_now), last: AtomicI64::new(store_now) }
    }

    /// Milliseconds since 1970 by the store's clock.
    pub fn now(&self) -> i64 {
        let now = self.offset.load(Ordering::Relaxed).saturating_add(self.elapsed());
        self.last.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// Takes over what the store has said.
    pub fn set(&self, store_now: i64) {
        self.offset.store(store_now.saturating_sub(self.elapsed()), Ordering::Relaxed);
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
