//! What a run went through: something that never happened was not tested.

use std::fmt;

use agenticai_domain::inbox::{InboxBody, ResolveDecision};
use agenticai_domain::journal::Entry;
use agenticai_domain::task::{End, TaskStatus};
use agenticai_store::SUPERSEDED;

use crate::checker::Evidence;

/// How often each kind of thing stands in the journals.
#[derive(Debug, Default)]
pub struct Coverage {
    timers: usize,
    signals: usize,
    approvals: usize,
    answers: usize,
    children: usize,
    resolved: usize,
    sent_again: usize,
    cancelled: usize,
    gave_way: usize,
    taken_over: usize,
}

impl Coverage {
    /// Counts it.
    pub fn of(evidence: &Evidence) -> Self {
        let mut coverage = Self::default();
        for task in &evidence.tasks {
            coverage.cancelled += usize::from(task.status == TaskStatus::Cancelled);
            coverage.taken_over += usize::from(task.journal.windows(2).any(|p| p[0].epoch != p[1].epoch));
            for recorded in &task.journal {
                match &recorded.entry {
                    Entry::TimerFired(_) => coverage.timers += 1,
                    Entry::Ended(ended) => coverage.gave_way += usize::from(gave_way(&ended.end)),
                    Entry::CallStarted(started) if started.attempt > 1 => coverage.sent_again += 1,
                    Entry::Received(received) => match &received.message.body {
                        InboxBody::Signal { .. } => coverage.signals += 1,
                        InboxBody::Approval { .. } => coverage.approvals += 1,
                        InboxBody::Input { .. } => coverage.answers += 1,
                        InboxBody::ChildEnded { .. } => coverage.children += 1,
                        InboxBody::Resolve { decision: ResolveDecision::Done { .. }, .. } => {
                            coverage.resolved += 1
                        }
                        InboxBody::Resolve { .. } => {}
                    },
                    _ => {}
                }
            }
        }
        coverage
    }

    /// Each with its name.
    pub fn rows(&self) -> [(&'static str, usize); 10] {
        [
            ("timers that fired", self.timers),
            ("signals consumed", self.signals),
            ("approvals consumed", self.approvals),
            ("answers consumed", self.answers),
            ("children that ended", self.children),
            ("uncertain calls that a person called done", self.resolved),
            ("`once` calls sent again on a person's word", self.sent_again),
            ("tasks cancelled", self.cancelled),
            ("tasks that gave way to a newer one of their thread", self.gave_way),
            ("tasks taken over in the middle", self.taken_over),
        ]
    }
}

fn gave_way(end: &End) -> bool {
    matches!(end, End::Cancelled { error } if error.message == SUPERSEDED)
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, n) in self.rows() {
            writeln!(f, "  {what:<52}{n:>8}")?;
        }
        Ok(())
    }
}
