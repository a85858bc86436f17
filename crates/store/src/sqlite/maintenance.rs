//! What operators do to the store as a whole. It is declared before anything else is done with the store, in the process
//! that holds the lock of the data directory: there are no workers of others.

use async_trait::async_trait;
use rusqlite::params;

use super::rows::{DRAINED, PENDING, PRIORITY_MS, RUNNING, WAITING};
use super::transaction::Tx;
use super::writer::Lane;
use super::{SqliteStore, budgets};
use crate::{Maintenance, PausedTasks, Result};

#[async_trait]
impl Maintenance for SqliteStore {
    async fn declare_restored(&self) -> Result<u64> {
        for worker in self.inner.beats.all() {
            self.inner.beats.stop(worker.worker, None);
            self.inner.beats.remove(worker.worker);
        }
        self.inner.writer.call(Lane::Work, 0, declare_restored).await
    }

    async fn release_paused(&self, which: PausedTasks) -> Result<u64> {
        self.inner.writer.call(Lane::Work, 0, move |tx| release(tx, &which)).await
    }
}

/// A waiting task does not wait any more: released, it is given to a worker, which reads in its journal what it waits for.
/// Epochs rise by more than all claims that may have been lost, so that a tool which refuses older ones goes on doing so.
fn declare_restored(tx: &Tx<'_>) -> Result<u64> {
    for worker in tx.rows("SELECT id FROM workers WHERE state < ?1", [DRAINED], |row| row.get(0))? {
        budgets::settle(tx, worker)?;
    }
    tx.execute("UPDATE workers SET state = ?1 WHERE state < ?1", [DRAINED])?;
    tx.execute("UPDATE installation SET restored_at = ?1", [tx.now])?;
    // Found through the index by status, which begins with the tenant.
    let paused = tx.execute(
        "UPDATE tasks SET status = ?1, paused_at = ?2, owner = NULL, epoch = epoch + 1000000, ready_due = NULL,
             wake_at = NULL, waiting_for = NULL
         WHERE tenant IN (SELECT num FROM tenants) AND status IN (?1, ?3, ?4) AND paused_at IS NULL",
        params![PENDING, tx.now, RUNNING, WAITING],
    )?;
    Ok(paused as u64)
}

/// One that waits for its turn in a thread goes on waiting for that.
fn release(tx: &Tx<'_>, which: &PausedTasks) -> Result<u64> {
    let (condition, column) = match which {
        PausedTasks::All => ("?3 IS NULL", rusqlite::types::Value::Null),
        PausedTasks::Tenant(name) => {
            ("tenant = (SELECT num FROM tenants WHERE name = ?3)", rusqlite::types::Value::Text(name.clone()))
        }
        PausedTasks::One(task) => ("id = ?3", rusqlite::types::Value::Blob(task.0.as_bytes().to_vec())),
    };
    let released = tx.execute(
        &format!(
            "UPDATE tasks SET paused_at = NULL,
                 ready_due = CASE WHEN thread_place IS NULL AND NOT (superseded AND num IS NOT
                     (SELECT active FROM threads WHERE num = tasks.thread)) THEN ?1 - priority * ?2 END
             WHERE paused_at IS NOT NULL AND {condition}"
        ),
        params![tx.now, PRIORITY_MS, column],
    )?;
    Ok(released as u64)
}

/// Pauses a task that was created for an occurrence which was due before the store was declared to be restored: it may
/// have been fired in what was lost.
pub(super) fn pause_fired(tx: &Tx<'_>, task: i64, due_at: i64) -> Result<()> {
    tx.execute(
        "UPDATE tasks SET paused_at = ?3, ready_due = NULL
         WHERE num = ?1 AND ready_due IS NOT NULL AND ?2 <= (SELECT restored_at FROM installation)",
        params![task, due_at, tx.now],
    )
    .map(drop)
}
