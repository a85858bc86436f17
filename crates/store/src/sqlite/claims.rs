//! Giving ready tasks to workers.

use rusqlite::params;

use agenticai_domain::ids::TaskId;
use agenticai_domain::journal::WRITES_FORMAT;
use agenticai_domain::task::{End, TaskError, codes};
use agenticai_domain::usage::Spend;

use super::append::is_alive;
use super::rows::{self, RUNNING, RawTask};
use super::transaction::Tx;
use super::writer::Lane;
use super::{SqliteStore, ends};
use crate::{Claimed, Leases, Result, StoreError, WorkerId};

/// A task that was given away, its head not read yet.
struct Given {
    num: i64,
    id: TaskId,
    epoch: u32,
    last_seq: u64,
    inbox_seq: u64,
    budgeted: bool,
}

/// See [`Leases::claim`].
///
/// Heads are read and opened after the commit, off the writer's thread: they never change. A task whose head cannot be
/// read is failed, so that it does not come back for ever; where nothing can be read, everything is handed back.
pub(super) async fn claim(store: &SqliteStore, worker: WorkerId, limit: u32) -> Result<Vec<Claimed>> {
    let given = store.inner.writer.call(Lane::Work, 0, move |tx| give(tx, worker, limit)).await?;
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<TaskId> = given.iter().map(|given| given.id).collect();
    match heads(store, given).await {
        Ok(claimed) => Ok(claimed),
        Err(error) => {
            store.release(worker, ids).await?;
            Err(error)
        }
    }
}

/// The most urgent tasks that the worker can read. The epoch rises with every claim, so that whatever an earlier owner
/// still sends is refused.
fn give(tx: &Tx<'_>, worker: WorkerId, limit: u32) -> Result<Vec<Given>> {
    if !is_alive(tx, worker)? {
        return Ok(Vec::new());
    }
    let ready = tx.rows(
        "SELECT num FROM tasks
         WHERE ready_due IS NOT NULL AND format <= (SELECT reads_format FROM workers WHERE id = ?1)
         ORDER BY ready_due LIMIT ?2",
        params![worker.0, limit],
        |row| row.get::<_, i64>(0),
    )?;
    let mut given = Vec::with_capacity(ready.len());
    for num in ready {
        let row = tx.row(
            "UPDATE tasks SET status = ?2, owner = ?3, epoch = epoch + 1, ready_due = NULL,
                 started_at = coalesce(started_at, ?4), format = max(format, ?5)
             WHERE num = ?1
             RETURNING id, epoch, inbox_seq, (SELECT coalesce(max(seq), 0) FROM journal WHERE task = ?1),
                       EXISTS (SELECT 1 FROM budgets WHERE budgets.tenant = tasks.tenant)",
            params![num, RUNNING, worker.0, tx.now, WRITES_FORMAT],
            |row| {
                Ok(Given {
                    num,
                    id: TaskId(rows::id(row, 0)?),
                    epoch: row.get(1)?,
                    inbox_seq: rows::count(row, 2)?,
                    last_seq: rows::count(row, 3)?,
                    budgeted: row.get(4)?,
                })
            },
        )?;
        given.extend(row);
    }
    Ok(given)
}

async fn heads(store: &SqliteStore, given: Vec<Given>) -> Result<Vec<Claimed>> {
    let nums: Vec<i64> = given.iter().map(|given| given.num).collect();
    let raw: Vec<Result<RawTask>> = store
        .inner
        .readers
        .call(move |conn| {
            let mut statement = conn.prepare_cached(&format!("{} WHERE t.num = ?1", RawTask::SELECT))?;
            Ok(nums.iter().map(|num| Ok(statement.query_row([num], RawTask::read)?)).collect())
        })
        .await?;
    let mut claimed = Vec::with_capacity(given.len());
    for (given, raw) in given.into_iter().zip(raw) {
        let in_thread = raw.as_ref().is_ok_and(RawTask::in_thread);
        let head = match raw {
            Ok(raw) => raw.load_head(&store.inner.payloads).await,
            Err(error) => Err(error),
        };
        match head {
            Ok(head) => {
                let Given { epoch, last_seq, inbox_seq, budgeted, .. } = given;
                claimed.push(Claimed { head, epoch, last_seq, inbox_seq, in_thread, budgeted });
            }
            Err(StoreError::Unreadable(why)) => {
                tracing::error!(task = %given.id, %why, "the head of a task cannot be read; the task fails");
                let error = TaskError::new(codes::JOURNAL_CORRUPT, format!("the task cannot be read: {why}"));
                let tenant = store.tenant_of(given.id).await?;
                let seq = given.last_seq + 1;
                ends::end_task(store, tenant, given.id, seq, End::Failed { error }, Spend::default()).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(claimed)
}
