//! Appending runs of entries.

use rusqlite::{Row, params};

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskStatus;
use agenticai_domain::usage::Spend;

use super::SqliteStore;
use super::budgets;
use super::create::{PreparedTask, create_child};
use super::ends::{self, Ending};
use super::rows::{self, ALIVE, WAITING, number, status};
use super::transaction::Tx;
use super::writer::Lane;
use crate::payload::{Payloads, Sealed, sealed};
use crate::{Append, AppendOutcome, Charge, Result, StoreError, Then, WorkerId};

/// A run whose payloads are ready to be written.
struct PreparedRun {
    task: TaskId,
    epoch: u32,
    /// The worker's number for it, bit by bit: columns are signed.
    run: i64,
    first_seq: u64,
    entries: Vec<Vec<u8>>,
    children: Vec<PreparedTask>,
    charges: Vec<Charge>,
    then: PreparedThen,
}

enum PreparedThen {
    Continue,
    Wait { waiting_for: Option<Vec<u8>>, wake_at: Option<i64>, inbox_seen: u64, spend: Spend },
    End(Ending),
}

/// What decides about a run, read in its transaction.
struct Standing {
    num: i64,
    tenant: i64,
    status: TaskStatus,
    owner: Option<i64>,
    epoch: u32,
    inbox_seq: u64,
    deadline_at: Option<i64>,
    wait_run: Option<i64>,
    wait_at: Option<i64>,
    last_seq: u64,
}

/// See [`crate::Journal::append`].
pub(super) async fn append(
    store: &SqliteStore,
    worker: WorkerId,
    runs: Vec<Append>,
) -> Result<Vec<AppendOutcome>> {
    let mut prepared = Vec::with_capacity(runs.len());
    let mut bytes = 0;
    for run in runs {
        // Data that cannot be stored refuses its own run; a disk that does not answer concerns all.
        prepared.push(match store.prepare_run(run).await {
            Ok(run) => {
                bytes += run.bytes();
                Ok(run)
            }
            Err(StoreError::Refused(why)) => Err(why),
            Err(error) => return Err(error),
        });
    }
    let outcomes =
        store.inner.writer.call(Lane::Work, bytes, move |tx| commit_all(tx, worker, &prepared)).await?;
    store.inner.counters.appended(&outcomes);
    Ok(outcomes)
}

impl SqliteStore {
    async fn prepare_run(&self, run: Append) -> Result<PreparedRun> {
        let payloads = &self.inner.payloads;
        let mut entries = Vec::with_capacity(run.entries.len());
        for entry in &*run.entries {
            entries.push(match sealed(entry) {
                Sealed::Inline(bytes) => bytes,
                Sealed::Large(bytes) => {
                    payloads.keep_blob(self.tenant_of(run.task).await?, Some(run.task), bytes).await?
                }
            });
        }
        let mut children = Vec::with_capacity(run.children.len());
        for child in run.children {
            children.push(PreparedTask::new(child, payloads).await?);
        }
        let then = match run.then {
            Then::Continue => PreparedThen::Continue,
            Then::Wait { waiting_for, wake_at, inbox_seen, spend } => {
                let waiting_for = match waiting_for.is_empty() {
                    true => None,
                    false => Some(self.keep_for(run.task, &waiting_for, payloads).await?),
                };
                PreparedThen::Wait { waiting_for, wake_at, inbox_seen, spend }
            }
            Then::End { end, spend } => {
                let outcome = self.keep_for(run.task, &end, payloads).await?;
                PreparedThen::End(Ending { status: end.status(), outcome, spend })
            }
        };
        Ok(PreparedRun {
            task: run.task,
            epoch: run.epoch,
            run: run.run.cast_signed(),
            first_seq: run.first_seq,
            entries,
            children,
            charges: run.charges,
            then,
        })
    }

    /// The column for a value of a task whose tenant is looked up only where a blob needs it.
    async fn keep_for<T: serde::Serialize>(
        &self,
        task: TaskId,
        value: &T,
        payloads: &Payloads,
    ) -> Result<Vec<u8>> {
        match sealed(value) {
            Sealed::Inline(bytes) => Ok(bytes),
            Sealed::Large(bytes) => payloads.keep_blob(self.tenant_of(task).await?, Some(task), bytes).await,
        }
    }
}

impl PreparedRun {
    fn bytes(&self) -> usize {
        self.entries.iter().map(Vec::len).sum::<usize>()
            + self.children.iter().map(PreparedTask::bytes).sum::<usize>()
    }
}

/// Performs the runs one by one; one whose data could not be prepared, or is refused now, concerns no other.
fn commit_all(
    tx: &Tx<'_>,
    worker: WorkerId,
    runs: &[std::result::Result<PreparedRun, String>],
) -> Result<Vec<AppendOutcome>> {
    let alive = is_alive(tx, worker)?;
    runs.iter()
        .map(|run| match run {
            Err(why) => Ok(AppendOutcome::Refused(why.clone())),
            Ok(run) => match tx.apart(|tx| commit(tx, worker, alive, run)) {
                Err(StoreError::Refused(why)) => Ok(AppendOutcome::Refused(why)),
                other => other,
            },
        })
        .collect()
}

/// Whether a worker may still write. One thread writes: whoever marks it dead comes before or after this transaction.
pub(super) fn is_alive(tx: &Tx<'_>, worker: WorkerId) -> Result<bool> {
    let state = tx.row("SELECT state FROM workers WHERE id = ?1", [worker.0], |row| row.get::<_, i64>(0))?;
    Ok(state == Some(ALIVE))
}

fn commit(tx: &Tx<'_>, worker: WorkerId, alive: bool, run: &PreparedRun) -> Result<AppendOutcome> {
    let Some(standing) = Standing::read(tx, run.task)? else { return Ok(AppendOutcome::Fenced) };
    if let Some(refusal) = classify(tx, worker, alive, run, &standing)? {
        return Ok(refusal);
    }
    let mut last_seq = standing.last_seq;
    for entry in &run.entries {
        last_seq += 1;
        insert_entry(tx, &standing, last_seq, run.epoch, run.run, entry)?;
    }
    for child in &run.children {
        create_child(tx, child)?;
    }
    budgets::charge(tx, worker, &run.charges)?;
    match &run.then {
        PreparedThen::Continue => {}
        PreparedThen::Wait { waiting_for, wake_at, spend, .. } => {
            let [input, output, cached, reasoning, cost] = rows::spend_columns(spend)?;
            // A deadline ends every wait.
            let wake_at = wake_at.iter().chain(&standing.deadline_at).min();
            tx.execute(
                "UPDATE tasks SET status = ?2, owner = NULL, last_seq = ?3, waiting_for = ?4, wake_at = ?5,
                     wait_run = ?6, wait_at = ?7, input_tokens = ?8, output_tokens = ?9, cached_tokens = ?10,
                     reasoning_tokens = ?11, cost = ?12
                 WHERE num = ?1",
                params![
                    standing.num,
                    WAITING,
                    number(last_seq)?,
                    waiting_for,
                    wake_at,
                    run.run,
                    tx.now,
                    input,
                    output,
                    cached,
                    reasoning,
                    cost
                ],
            )?;
        }
        PreparedThen::End(ending) => ends::end(tx, standing.num, last_seq, ending)?,
    }
    Ok(AppendOutcome::Accepted { at: tx.now })
}

/// Why a run does not go in, if it does not. The order is that of what the worker may still do: nothing, because it
/// was done; nothing, because it lost its right; read on.
fn classify(
    tx: &Tx<'_>,
    worker: WorkerId,
    alive: bool,
    run: &PreparedRun,
    standing: &Standing,
) -> Result<Option<AppendOutcome>> {
    let taken: Option<(Option<i64>, i64)> = match run.first_seq {
        first if first <= standing.last_seq && !run.entries.is_empty() => tx.row(
            "SELECT run, at FROM journal WHERE task = ?1 AND seq = ?2",
            params![standing.num, number(first)?],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?,
        // A wait without entries is known by the row alone.
        _ if run.entries.is_empty() => standing.wait_at.map(|at| (standing.wait_run, at)),
        _ => None,
    };
    if let Some((run_there, at)) = taken
        && run_there == Some(run.run)
    {
        return Ok(Some(AppendOutcome::AlreadyMine { at }));
    }
    if !alive {
        return Ok(Some(AppendOutcome::Fenced));
    }
    if standing.status.is_terminal() {
        return Ok(Some(AppendOutcome::Terminal(standing.status)));
    }
    if standing.owner != Some(worker.0) || standing.epoch != run.epoch {
        return Ok(Some(AppendOutcome::Fenced));
    }
    if run.entries.is_empty() && !matches!(run.then, PreparedThen::Wait { .. }) {
        return Err(StoreError::Refused("a run without entries must be a wait".to_owned()));
    }
    if run.first_seq <= standing.last_seq {
        return Ok(Some(AppendOutcome::Overtaken));
    }
    if run.first_seq != standing.last_seq + 1 {
        return Err(StoreError::Refused(format!(
            "the run begins at {}, but the journal ends at {}",
            run.first_seq, standing.last_seq
        )));
    }
    if let PreparedThen::Wait { inbox_seen, .. } = run.then
        && inbox_seen != standing.inbox_seq
    {
        return Ok(Some(AppendOutcome::InboxMoved));
    }
    Ok(None)
}

fn insert_entry(
    tx: &Tx<'_>,
    standing: &Standing,
    seq: u64,
    epoch: u32,
    run: i64,
    entry: &[u8],
) -> Result<()> {
    tx.execute(
        "INSERT INTO journal (task, seq, tenant, epoch, run, at, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![standing.num, number(seq)?, standing.tenant, epoch, run, tx.now, entry],
    )
    .map(drop)
}

impl Standing {
    fn read(tx: &Tx<'_>, task: TaskId) -> Result<Option<Self>> {
        tx.row(
            "SELECT num, tenant, status, owner, epoch, inbox_seq, deadline_at, wait_run, wait_at,
                    coalesce((SELECT max(seq) FROM journal WHERE task = tasks.num), 0)
             FROM tasks WHERE id = ?1",
            [task.0.as_bytes()],
            |row: &Row<'_>| {
                Ok(Self {
                    num: row.get(0)?,
                    tenant: row.get(1)?,
                    status: status(row, 2)?,
                    owner: row.get(3)?,
                    epoch: row.get(4)?,
                    inbox_seq: rows::count(row, 5)?,
                    deadline_at: row.get(6)?,
                    wait_run: row.get(7)?,
                    wait_at: row.get(8)?,
                    last_seq: rows::count(row, 9)?,
                })
            },
        )
    }
}
