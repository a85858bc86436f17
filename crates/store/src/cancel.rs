//! Cancelling a task: an append from outside at the next seq, tried again whenever the task's worker was faster.

use std::sync::Arc;

use agenticai_domain::engine::{Agent, State};
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::Recorded;
use agenticai_domain::task::{End, Parent, TaskError, TaskStatus, codes};
use agenticai_domain::usage::Spend;

use crate::{EndOutcome, Result, Store, StoreError, TaskRow};

/// What came of [`cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It is cancelled, by this call.
    Cancelled {
        /// Seq of the terminal entry.
        seq: u64,
        /// Who has to hear of it.
        parent: Option<Parent>,
        /// Whether it belonged to a thread, whose next task may be ready now.
        in_thread: bool,
    },
    /// It had ended before.
    AlreadyTerminal(TaskStatus),
    /// There is no such task.
    NotFound,
    /// Its journal grew with every try.
    Busy,
}

/// Why a task is cancelled that gave way to a newer one of its thread.
pub const SUPERSEDED: &str = "a newer task of its thread took its place";

/// How often a cancel that lost its seq to another entry is tried again.
const TRIES: u32 = 100;

/// Ends a task as `cancelled`. Whoever commits first wins: a worker's run that comes later is refused, and a task
/// that has ended stays as it is. Its children are cancelled by the caller or by the sweep for orphans.
pub async fn cancel(store: &dyn Store, tenant: TenantId, task: TaskId, why: &str) -> Result<CancelOutcome> {
    for _ in 0..TRIES {
        let Some(row) = store.task(tenant, task).await? else { return Ok(CancelOutcome::NotFound) };
        if row.status.is_terminal() {
            return Ok(CancelOutcome::AlreadyTerminal(row.status));
        }
        let (seq, spend) = stands_at(store, &row).await?;
        let end = End::Cancelled { error: TaskError::new(codes::CANCELLED, why) };
        match store.end_task(tenant, task, seq, end, spend).await? {
            EndOutcome::Ended => {
                let (parent, in_thread) = (row.head.parent, row.thread.is_some());
                return Ok(CancelOutcome::Cancelled { seq, parent, in_thread });
            }
            EndOutcome::Overtaken => {}
            EndOutcome::AlreadyTerminal(status) => return Ok(CancelOutcome::AlreadyTerminal(status)),
            EndOutcome::NotFound => return Ok(CancelOutcome::NotFound),
        }
    }
    Ok(CancelOutcome::Busy)
}

/// Where the next entry goes, and what was consumed until then. The journal says both; one that cannot be read or
/// folded must not keep a task from being cancelled: then the row's own figure stands.
async fn stands_at(store: &dyn Store, row: &TaskRow) -> Result<(u64, Spend)> {
    let (tenant, task) = (row.head.tenant, row.head.id);
    let journal = match read_whole_journal(store, tenant, task).await {
        Err(StoreError::Unreadable(_)) => {
            let last = store.last_seqs(vec![task]).await?.first().map_or(row.last_seq, |(_, seq, _)| *seq);
            return Ok((last + 1, row.spend));
        }
        journal => journal?,
    };
    let agent = store.agent_of_task(tenant, row.head.agent, row.head.agent_version).await?;
    let spend = agent
        .and_then(|version| Agent::compile(Arc::new(version)).ok())
        .and_then(|agent| State::replay(&agent, &row.head, &journal).ok())
        .map_or(row.spend, |state| state.spend());
    Ok((journal.last().map_or(1, |last| last.seq + 1), spend))
}

/// All entries of a task's journal.
pub async fn read_whole_journal(store: &dyn Store, tenant: TenantId, task: TaskId) -> Result<Vec<Recorded>> {
    const PAGE: u32 = 1000;
    let mut journal = Vec::new();
    loop {
        let after = journal.last().map_or(0, |last: &Recorded| last.seq);
        let page = store.read_journal(tenant, task, after, PAGE).await?;
        let last = page.len() < PAGE as usize;
        journal.extend(page);
        if last {
            return Ok(journal);
        }
    }
}
