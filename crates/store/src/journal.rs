//! Journals: appending runs of entries under a worker's lease, and reading them.

use std::sync::Arc;

use async_trait::async_trait;

use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::inbox::InboxMessage;
use agenticai_domain::journal::{Entry, Recorded};
use agenticai_domain::outcome::{ToolOutcome, ToolResult};
use agenticai_domain::task::{End, NewTask, TaskStatus, WaitingFor};
use agenticai_domain::usage::Spend;

use crate::{Charge, Result, StoreError, WorkerId};

/// One contiguous run of entries of one task, accepted whole or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    /// The task.
    pub task: TaskId,
    /// The epoch under which the worker holds it.
    pub epoch: u32,
    /// Chosen once by the worker, the same when the run is sent again: by it a resend recognizes itself.
    pub run: u64,
    /// Seq of the first entry.
    pub first_seq: u64,
    /// The entries; never empty, unless `then` is a wait. Shared, because whoever appends keeps the run to send it again.
    pub entries: Arc<[Entry]>,
    /// Children to create in the same transaction.
    pub children: Vec<NewTask>,
    /// What budgets pay for the entries, out of the worker's slices.
    pub charges: Vec<Charge>,
    /// What becomes of the task.
    pub then: Then,
}

/// What becomes of a task with a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// The worker goes on; nothing but entries is written.
    Continue,
    /// The worker lets go of it until something happens.
    Wait {
        /// For people and lists.
        waiting_for: Vec<WaitingFor>,
        /// When it becomes ready by itself, milliseconds since 1970 by the store's clock.
        wake_at: Option<i64>,
        /// The number of inbox messages that the worker has seen; if there are more, the run is refused.
        inbox_seen: u64,
        /// Consumed so far.
        spend: Spend,
    },
    /// The last entry ends it.
    End {
        /// How.
        end: End,
        /// Consumed in all.
        spend: Spend,
    },
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Committed, with this time on every entry.
    Accepted {
        /// Milliseconds since 1970 by the store's clock.
        at: i64,
    },
    /// This very run was committed before, with this time.
    AlreadyMine {
        /// Milliseconds since 1970 by the store's clock.
        at: i64,
    },
    /// The worker is dead or the task is no longer its own: drop it.
    Fenced,
    /// A foreign entry took the seq: read on and decide anew.
    Overtaken,
    /// The inbox has more than `inbox_seen`: read it and decide anew.
    InboxMoved,
    /// The task has ended.
    Terminal(TaskStatus),
    /// The store cannot take these bytes; the neighbours in the batch went in.
    Refused(String),
}

/// Journals.
#[async_trait]
pub trait Journal {
    /// Commits runs of different tasks, each accepted or refused by itself; outcomes in the order of the runs.
    /// [`crate::StoreError::Unavailable`] means that the outcome of all of them is unknown: send the same again.
    async fn append(&self, worker: WorkerId, runs: Vec<Append>) -> Result<Vec<AppendOutcome>>;
    /// Entries after `after`, in order.
    async fn read_journal(
        &self,
        tenant: TenantId,
        task: TaskId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Recorded>>;
    /// Seq of the newest entry and status, for each of the tasks that exists.
    async fn last_seqs(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, u64, TaskStatus)>>;
    /// Messages after `after`, in order.
    async fn inbox(&self, task: TaskId, after: u64) -> Result<Vec<InboxMessage>>;
    /// Keeps the result of a `once` call that came after its task was taken over or ended: for people, beside the
    /// journal.
    async fn keep_late_result(&self, task: TaskId, epoch: u32, outcome: ToolOutcome) -> Result<()>;
    /// The late results of a task: epoch, step, and the result as text.
    async fn late_results(&self, tenant: TenantId, task: TaskId) -> Result<Vec<(u32, StepId, String)>>;
}

/// What is kept of a late result: the outcome as JSON, or why it is unknown.
pub(crate) fn late_result_text(outcome: &ToolOutcome) -> Result<String> {
    match &outcome.result {
        ToolResult::Ended(ended) => {
            serde_json::to_string(ended).map_err(|error| StoreError::Refused(error.to_string()))
        }
        ToolResult::Uncertain { reason } => Ok(format!("uncertain: {reason}")),
    }
}
