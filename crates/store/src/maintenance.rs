//! What operators do to a store as a whole.

use async_trait::async_trait;

use agenticai_domain::ids::TaskId;

use crate::Result;

/// Which paused tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PausedTasks {
    /// All of the store.
    All,
    /// Those of the tenant with this name.
    Tenant(String),
    /// This one.
    One(TaskId),
}

/// What operators do to a store as a whole.
#[async_trait]
pub trait Maintenance {
    /// Declares that the store was restored to an earlier point: what its journals lack was performed all the same. Every
    /// worker is dead, and every task that has not ended is paused; answers how many. An error leaves some of it done, and
    /// nothing is given to workers until it is declared again.
    async fn declare_restored(&self) -> Result<u64>;
    /// Lets paused tasks go on; answers how many. Each is claimed like any other, and goes on where its journal ends.
    async fn release_paused(&self, which: PausedTasks) -> Result<u64>;
}
