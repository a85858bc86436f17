//! Agent versions made ready for deciding, kept because they never change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use agenticai_domain::engine::Agent;
use agenticai_domain::ids::AgentId;
use agenticai_domain::task::TaskHead;
use agenticai_store::{Store, StoreError};

use crate::patience::patiently;

/// Beyond this many versions the cache starts anew: it is a cache.
const KEPT: usize = 1024;

/// The cache.
#[derive(Default)]
pub struct AgentCache(Mutex<HashMap<(AgentId, u32), Arc<Agent>>>);

/// Why a task's agent cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is gone or cannot be compiled: the task cannot go on.
    #[error("{0}")]
    Unusable(String),
}

impl AgentCache {
    /// The agent version of a task.
    pub async fn get(&self, store: &dyn Store, task: &TaskHead) -> Result<Arc<Agent>, AgentError> {
        let key = (task.agent, task.agent_version);
        if let Some(agent) = self.lock().get(&key) {
            return Ok(agent.clone());
        }
        let read = || store.agent_of_task(task.tenant, task.agent, task.agent_version);
        let version = patiently("an agent", read).await?.ok_or_else(|| {
            AgentError::Unusable(format!(
                "version {} of agent {} is not stored",
                task.agent_version, task.agent
            ))
        })?;
        let agent = Agent::compile(Arc::new(version)).map(Arc::new).map_err(AgentError::Unusable)?;
        let mut agents = self.lock();
        if agents.len() >= KEPT {
            agents.clear();
        }
        agents.insert(key, agent.clone());
        Ok(agent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(AgentId, u32), Arc<Agent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
