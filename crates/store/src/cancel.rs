//! Cancelling a task: an append from outside at the next seq, tried again whenever the task's worker was faster.

use std::sync::Arc;

use agenticai_domain::engine::{Agent, State};
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::Recorded;
use agenticai_domain::task::{End, TaskError, TaskStatus, codes};

use crate::{EndOutcome, Result, Store};

/// What came of [`cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It is cancelled, by this call.
    Cancelled,
    /// It had ended before.
    AlreadyTerminal(TaskStatus),
    /// There is no such task.
    NotFound,
}

/// Ends a task as `cancelled`. Whoever commits first wins: a worker's run that comes later is refused, and a task
/// that has ended stays as it is. Its children are cancelled by the caller or by the sweep for orphans.
pub async fn cancel(store: &dyn Store, tenant: TenantId, task: TaskId, why: &str) -> Result<CancelOutcome> {
    loop {
        let Some(row) = store.task(tenant, task).await? else { return Ok(CancelOutcome::NotFound) };
        if row.status.is_terminal() {
            return Ok(CancelOutcome::AlreadyTerminal(row.status));
        }
        let journal = read_whole_journal(store, tenant, task).await?;
        let next_seq = journal.last().map_or(1, |last| last.seq + 1);
        // What was consumed is told by the journal. One that cannot be folded must not keep a task from being
        // cancelled: then the row's own figure stands.
        let agent = store.agent_of_task(tenant, row.head.agent, row.head.agent_version).await?;
        let spend = agent
            .and_then(|version| Agent::compile(Arc::new(version)).ok())
            .and_then(|agent| State::replay(&agent, &row.head, &journal).ok())
            .map_or(row.spend, |state| state.spend());
        let end = End::Cancelled { error: TaskError::new(codes::CANCELLED, why) };
        match store.end_task(tenant, task, next_seq, end, spend).await? {
            EndOutcome::Ended => return Ok(CancelOutcome::Cancelled),
            EndOutcome::Overtaken => {}
            EndOutcome::AlreadyTerminal(status) => return Ok(CancelOutcome::AlreadyTerminal(status)),
            EndOutcome::NotFound => return Ok(CancelOutcome::NotFound),
        }
    }
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
