//! Hints that work exists, live events, and pokes to the process that holds a task.
//!
//! Nothing here is needed for correctness: everything that a broker carries can be rebuilt from the store, and a lost
//! message delays and never hangs.

mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use agenticai_domain::ids::{StepId, TaskId};

pub use memory::MemoryBroker;

/// What a stream of one task carries beside the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Live {
    /// The journal has grown: read on.
    Appended {
        /// Seq of the newest entry.
        last_seq: u64,
    },
    /// A piece of an answer that is not committed yet.
    Token(Token),
    /// A step began.
    Started {
        /// The step.
        step: StepId,
        /// The tool's or model's name.
        name: String,
        /// The epoch of the task.
        epoch: u32,
    },
}

/// A piece of an answer: named, so that a reader can drop what a later attempt overtook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The model call.
    pub step: StepId,
    /// The epoch of the task.
    pub epoch: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Characters of the answer before this piece.
    pub offset: u64,
    /// The piece.
    pub text: String,
}

/// News for the process that holds a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poke {
    /// Its inbox has grown.
    Inbox(TaskId),
    /// It was ended from outside.
    Ended(TaskId),
}

/// The broker.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Says that ready tasks exist. Coalesced: it wakes, and carries nothing.
    fn hint(&self);
    /// Waits for the next hint; a hint given while nobody waited is not lost.
    async fn hinted(&self);
    /// Publishes to the readers of a task's stream, if there are any.
    fn publish(&self, task: TaskId, event: Live);
    /// Whether anybody reads a task's stream: if not, tokens need not be published.
    fn has_readers(&self, task: TaskId) -> bool;
    /// Reads a task's stream from now on. A reader that lags is told so by the receiver and reads the journal.
    fn subscribe(&self, task: TaskId) -> broadcast::Receiver<Arc<Live>>;
    /// Tells the process that holds a task.
    fn poke(&self, poke: Poke);
    /// Reads all pokes from now on.
    fn pokes(&self) -> broadcast::Receiver<Poke>;
}
