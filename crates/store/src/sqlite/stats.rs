//! Counters.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::AppendOutcome;

/// Counters since the store was opened, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SqliteStats {
    /// Transactions committed.
    pub commits: u64,
    /// Transactions that failed; their commands were answered with an error.
    pub failed_commits: u64,
    /// Commands in the committed transactions; divided by `commits`, the size of a batch.
    pub commands: u64,
    /// Commands that wait for the writer now.
    pub queued: u64,
    /// Pages in the log that the database file does not have yet, at most.
    pub log_pages: u64,
    /// Runs accepted, new or again.
    pub appends_accepted: u64,
    /// Runs refused because the worker is dead or not the owner.
    pub appends_fenced: u64,
    /// Runs refused because the journal, the inbox or the state had moved on.
    pub appends_overtaken: u64,
    /// Runs refused because of their data.
    pub appends_refused: u64,
}

/// The counters while they count.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) failed_commits: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) log_pages: AtomicU64,
    accepted: AtomicU64,
    fenced: AtomicU64,
    overtaken: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    pub(super) fn appended(&self, outcomes: &[AppendOutcome]) {
        for outcome in outcomes {
            let counter = match outcome {
                AppendOutcome::Accepted { .. } | AppendOutcome::AlreadyMine { .. } => &self.accepted,
                AppendOutcome::Fenced => &self.fenced,
                AppendOutcome::Overtaken | AppendOutcome::InboxMoved | AppendOutcome::Terminal(_) => {
                    &self.overtaken
                }
                AppendOutcome::Refused(_) => &self.refused,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self, queued: usize) -> SqliteStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SqliteStats {
            commits: get(&self.commits),
            failed_commits: get(&self.failed_commits),
            commands: get(&self.commands),
            queued: queued as u64,
            log_pages: get(&self.log_pages),
            appends_accepted: get(&self.accepted),
            appends_fenced: get(&self.fenced),
            appends_overtaken: get(&self.overtaken),
            appends_refused: get(&self.refused),
        }
    }
}
