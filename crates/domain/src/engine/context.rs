//! What a decision depends on besides the journal.

use super::agent::Agent;
use crate::inbox::InboxMessage;
use crate::task::TaskHead;

/// What a decision depends on besides the journal.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The agent version.
    pub agent: &'a Agent,
    /// The task.
    pub task: &'a TaskHead,
    /// The store's time, milliseconds since 1970.
    pub now: i64,
    /// The epoch under which the worker holds the task.
    pub epoch: u32,
    /// Messages in the inbox, in order; consumed ones do no harm.
    pub inbox: &'a [InboxMessage],
}
