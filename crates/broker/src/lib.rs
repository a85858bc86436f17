//! Hints that work exists, live events, and pokes to the process that holds a task.
//!
//! Nothing here is needed for correctness: everything that a broker carries can be rebuilt from the store, and a lost
//! message delays and never hangs.
//!
//! - [`MemoryBroker`]: one process.
//! - [`ClusterBroker`]: many, over any subset of RabbitMQ ([`rabbitmq`]: hints and dead letters), PostgreSQL
//!   ([`postgres`]: hints and pokes) and Redis ([`redis`]: live events and pokes). What has no server is left to the
//!   polling of the callers.
//!
//! No caller ever waits for a server, and none is told of a failure: buffers are bounded, what does not fit is dropped
//! and counted ([`LinkStats`]), and an outage is one warning in the log.

mod cluster;
mod link;
mod memory;
mod password;
mod peer;
mod pending;
pub mod postgres;
pub mod rabbitmq;
pub mod redis;
mod tls;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use agenticai_domain::ids::{StepId, TaskId, TenantId};

pub use cluster::{BrokerConfig, ClusterBroker};
pub use link::{ConnectError, LinkStats};
pub use memory::MemoryBroker;
pub use tls::TlsFiles;

/// What a stream of one task carries beside the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poke {
    /// Its inbox has grown.
    Inbox(TaskId),
    /// It was ended from outside.
    Ended(TaskId),
}

/// A task that failed because it cannot be worked on, told to operators. It names the task and repeats nothing of it:
/// the journal has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The task.
    pub task: TaskId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The code of its error.
    pub code: String,
    /// When it failed: milliseconds since 1970 on the store's clock.
    pub at: i64,
}

/// The broker. Whatever sends returns at once and cannot fail; whatever is sent may be lost, doubled or late.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Says that ready tasks exist. Coalesced: it wakes, and carries nothing.
    fn hint(&self);
    /// Waits for the next hint; a hint given while nobody waited is not lost. A process that never waits here is told
    /// of no hints. Dropping the future is safe.
    async fn hinted(&self);
    /// Publishes to the readers of a task's stream, if there are any.
    fn publish(&self, task: TaskId, event: Live);
    /// Whether anybody reads a task's stream: if not, tokens need not be published. Of readers in other processes it
    /// is as old as the broker says, seconds at most.
    fn has_readers(&self, task: TaskId) -> bool;
    /// Reads a task's stream from now on. A reader that lags is told so by the receiver and reads the journal.
    fn subscribe(&self, task: TaskId) -> broadcast::Receiver<Arc<Live>>;
    /// Tells the process that holds a task, whichever it is.
    fn poke(&self, poke: Poke);
    /// Reads all pokes from now on. A reader that lags is told so by the receiver and looks at all of its tasks.
    fn pokes(&self) -> broadcast::Receiver<Poke>;
    /// Tells operators of a poison task. A copy only: the store knows all of them, and where nothing collects dead
    /// letters nothing happens.
    fn dead(&self, letter: DeadLetter) {
        let _ = letter;
    }
}
