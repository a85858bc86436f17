//! The store's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

/// Milliseconds since 1970 that never go back, whatever the machine's clock does: time stands still until the machine
/// has caught up. Across a restart too, because it starts at the newest time that is stored.
#[derive(Default)]
pub(super) struct Clock {
    newest: AtomicI64,
}

impl Clock {
    /// Goes on where the stored rows end. Rows are written in the order of time, so the last ones are the newest.
    pub(super) fn resume(conn: &Connection) -> rusqlite::Result<Self> {
        let newest = conn.query_row(
            "SELECT max(coalesce((SELECT at FROM journal ORDER BY num DESC LIMIT 1), 0),
                        coalesce((SELECT created_at FROM tasks ORDER BY num DESC LIMIT 1), 0),
                        coalesce((SELECT registered_at FROM workers ORDER BY id DESC LIMIT 1), 0))",
            [],
            |row| row.get(0),
        )?;
        Ok(Self { newest: AtomicI64::new(newest) })
    }

    /// Now.
    pub(super) fn now(&self) -> i64 {
        let machine = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        self.newest.fetch_max(machine, Ordering::Relaxed).max(machine)
    }
}
