//! From outcomes to one run of entries and the effects that are wanted after it.

use super::apply::ReplayError;
use super::context::Context;
use super::fault::{Fault, planted};
use super::next::{Effect, Next};
use super::record::Record;
use super::state::State;
use crate::journal::{Entry, Recorded};
use crate::outcome::Outcome;
use crate::task::{End, NewTask, WaitingFor};

/// Entries to be committed together.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Seq of the first one.
    pub first_seq: u64,
    /// The entries; empty only where `after` is a wait.
    pub entries: Vec<Entry>,
    /// Children to be created in the same transaction.
    pub children: Vec<NewTask>,
    /// What becomes of the task.
    pub after: After,
}

/// What becomes of a task after a run.
#[derive(Debug, Clone, PartialEq)]
pub enum After {
    /// It goes on.
    Continue,
    /// Nothing can be done until something happens.
    Wait {
        /// For what.
        waiting_for: Vec<WaitingFor>,
        /// When it becomes ready by itself.
        wake_at: Option<i64>,
        /// Number of the newest message that this decision has seen: if there is a newer one, the store must refuse
        /// the run, or the message between look and wait would be lost.
        inbox_seen: u64,
    },
    /// It has ended.
    End(End),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// To be committed first; `None`: nothing is to be journaled.
    pub run: Option<Run>,
    /// Wanted once the run is committed. What is in flight already stays in flight; what is not named any more is to
    /// be aborted.
    pub effects: Vec<Effect>,
}

/// Turns outcomes and messages into a plan. The state moves on as if the run were committed: if the store refuses it,
/// the state is to be dropped.
pub fn plan(state: &mut State, cx: &Context<'_>, outcomes: Vec<Outcome>) -> Result<Plan, ReplayError> {
    let mut run =
        Run { first_seq: state.next_seq, entries: Vec::new(), children: Vec::new(), after: After::Continue };
    for outcome in outcomes {
        if let Some(Record { entry, child }) = state.record(cx, outcome) {
            run.children.extend(child);
            state.push(cx, &mut run, entry)?;
        }
    }
    let effects = loop {
        match state.next(cx) {
            Next::Journal(entry) => state.push(cx, &mut run, entry)?,
            Next::Perform(effects) => break effects,
            Next::Ended => break Vec::new(),
        }
    };
    if let Some(end) = &state.end {
        run.after = After::End(end.clone());
    } else if effects.is_empty() {
        let waiting_for = state.waiting_for(cx.agent);
        let wake_at = waiting_for.iter().filter_map(|wait| wait.expires_at).chain(cx.task.deadline_at).min();
        let inbox_seen =
            if planted(Fault::InboxNotChecked) { u64::MAX } else { cx.inbox.last().map_or(0, |m| m.id) };
        run.after = After::Wait { waiting_for, wake_at, inbox_seen };
    }
    let nothing = run.entries.is_empty() && run.after == After::Continue;
    Ok(Plan { run: (!nothing).then_some(run), effects })
}

impl State {
    fn push(&mut self, cx: &Context<'_>, run: &mut Run, entry: Entry) -> Result<(), ReplayError> {
        // One moment for the whole run: the store gives its entries one time too.
        let at = cx.now.max(self.last_at);
        let recorded = Recorded { seq: self.next_seq, epoch: cx.epoch.max(self.epoch), at, entry };
        self.apply(cx.agent, &recorded)?;
        run.entries.push(recorded.entry);
        Ok(())
    }
}
