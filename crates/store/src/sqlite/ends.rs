//! Ending tasks: by their last entry, or from outside.

use rusqlite::params;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::{Ended, Entry};
use agenticai_domain::task::{End, TaskStatus};
use agenticai_domain::usage::Spend;

use super::rows::{self, number, status, status_number};
use super::transaction::Tx;
use super::writer::Lane;
use super::{SqliteStore, inbox, threads};
use crate::{EndOutcome, Result};

/// An end whose payload is ready to be written.
pub(super) struct Ending {
    pub(super) status: TaskStatus,
    pub(super) outcome: Vec<u8>,
    pub(super) spend: Spend,
}

/// Writes a terminal state, tells the parent and gives the next task of the thread its turn. The caller has checked that there is none yet.
pub(super) fn end(tx: &Tx<'_>, num: i64, last_seq: u64, ending: &Ending) -> Result<()> {
    let [input, output, cached, reasoning, cost] = rows::spend_columns(&ending.spend)?;
    let thread = tx.row(
        "UPDATE tasks SET status = ?2, owner = NULL, last_seq = ?3, outcome = ?4, completed_at = ?5, ready_due = NULL,
             wake_at = NULL, waiting_for = NULL, input_tokens = ?6, output_tokens = ?7, cached_tokens = ?8,
             reasoning_tokens = ?9, cost = ?10, thread_place = NULL, superseded = 0, paused_at = NULL
         WHERE num = ?1
         RETURNING thread",
        params![
            num,
            status_number(ending.status),
            number(last_seq)?,
            ending.outcome,
            tx.now,
            input,
            output,
            cached,
            reasoning,
            cost
        ],
        |row| row.get::<_, Option<i64>>(0),
    )?;
    inbox::tell_parent(tx, num)?;
    match thread.flatten() {
        None => Ok(()),
        Some(thread) => threads::leave(tx, thread, num),
    }
}

/// See [`crate::Tasks::end_task`].
pub(super) async fn end_task(
    store: &SqliteStore,
    tenant: TenantId,
    id: TaskId,
    seq: u64,
    end_with: End,
    spend: Spend,
) -> Result<EndOutcome> {
    let payloads = &store.inner.payloads;
    let outcome = payloads.keep(tenant, Some(id), &end_with).await?;
    let ending = Ending { status: end_with.status(), outcome, spend };
    let entry = payloads.keep(tenant, Some(id), &Entry::Ended(Ended { end: end_with })).await?;
    let bytes = entry.len() + ending.outcome.len();
    store
        .inner
        .writer
        .call(Lane::Work, bytes, move |tx| {
            let found = tx.row(
                "SELECT t.num, t.tenant, t.status, t.epoch,
                        coalesce((SELECT max(seq) FROM journal WHERE task = t.num), 0)
                 FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = ?1 AND n.id = ?2",
                params![id.0.as_bytes(), tenant.0.as_bytes()],
                |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, i64>(1)?,
                        status(row, 2)?,
                        row.get::<_, u32>(3)?,
                        rows::count(row, 4)?,
                    ))
                },
            )?;
            let Some((num, tenant, status, epoch, last_seq)) = found else { return Ok(EndOutcome::NotFound) };
            if status.is_terminal() {
                return Ok(EndOutcome::AlreadyTerminal(status));
            }
            if seq != last_seq + 1 {
                return Ok(EndOutcome::Overtaken);
            }
            tx.execute(
                "INSERT INTO journal (task, seq, tenant, epoch, at, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![num, number(seq)?, tenant, epoch, tx.now, entry],
            )?;
            end(tx, num, seq, &ending)?;
            Ok(EndOutcome::Ended)
        })
        .await
}
