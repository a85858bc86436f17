//! Agent versions in memory, so that creating a task does not read the database.
//!
//! A version never changes: it can be kept as long as there is room. Which version a name means does change. That is
//! forgotten at once when this process changes an agent, and after a moment where another process may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use agenticai_domain::engine::Agent;
use agenticai_domain::ids::{AgentId, TenantId};
use agenticai_domain::spec::AgentVersion;
use agenticai_store::AgentSelector;

use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// How long a name's version is believed.
const BELIEF: Duration = Duration::from_millis(500);
/// Entries of each map at most; a full map is emptied, which costs a read for each agent in use.
const ENTRIES: usize = 1024;

/// A version with what is made of it once.
pub(crate) struct Prepared {
    /// The version.
    pub version: Arc<AgentVersion>,
    compiled: OnceLock<Result<Agent, String>>,
}

impl Prepared {
    fn new(version: AgentVersion) -> Arc<Self> {
        Arc::new(Self { version: Arc::new(version), compiled: OnceLock::new() })
    }

    /// The version as the engine takes it: compiled when it is needed first, for lists need no schema.
    pub fn compiled(&self) -> Result<&Agent, String> {
        self.compiled.get_or_init(|| Agent::compile(self.version.clone())).as_ref().map_err(Clone::clone)
    }

    /// Checks arguments against the schema of the first tool: the only one of an agent of kind `tool`.
    pub fn check_arguments(&self, arguments: &Value) -> Result<(), String> {
        let agent = self.compiled()?;
        agent.tool(0).map_or(Ok(()), |tool| agent.admit(&tool.name, arguments).map(drop))
    }
}

/// A tenant's word for an agent, and the version that it asked for.
type Named = (TenantId, String, Option<u32>);

#[derive(Default)]
struct Maps {
    /// Raised with every change, so that a reader that was under way does not store what it read before.
    changes: u64,
    versions: HashMap<(TenantId, AgentId, u32), Arc<Prepared>>,
    named: HashMap<Named, (Instant, Arc<Prepared>)>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct AgentCache(Mutex<Maps>);

impl AgentCache {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets which versions the tenant's names mean.
    pub fn forget(&self, tenant: TenantId) {
        let mut maps = self.maps();
        maps.changes += 1;
        maps.named.retain(|(of, _, _), _| *of != tenant);
    }
}

impl Api {
    /// The version (`None`: the newest) of an agent that is not deleted, by name or id.
    pub async fn agent(
        &self,
        tenant: TenantId,
        which: &str,
        version: Option<u32>,
    ) -> ApiResult<Arc<Prepared>> {
        let key = (tenant, which.to_owned(), version);
        let changes = {
            let maps = self.agents.maps();
            if let Some((read, found)) = maps.named.get(&key)
                && read.elapsed() < BELIEF
            {
                return Ok(found.clone());
            }
            maps.changes
        };
        let read = Instant::now();
        let found = self.store.agent(tenant, AgentSelector::from(which), version).await?;
        let prepared = Prepared::new(found.ok_or_else(|| super::unknown(which, version))?);
        let mut maps = self.agents.maps();
        if maps.changes == changes {
            if maps.named.len() >= ENTRIES {
                maps.named.clear();
            }
            maps.named.insert(key, (read, prepared.clone()));
        }
        Ok(prepared)
    }

    /// The version that a task runs, deleted or not.
    pub async fn agent_of_task(
        &self,
        tenant: TenantId,
        id: AgentId,
        version: u32,
    ) -> ApiResult<Arc<Prepared>> {
        let key = (tenant, id, version);
        if let Some(found) = self.agents.maps().versions.get(&key) {
            return Ok(found.clone());
        }
        let found = self.store.agent_of_task(tenant, id, version).await?;
        let missing =
            || ApiError::internal(format!("version {version} of agent {id} is gone, a task runs it"));
        let prepared = Prepared::new(found.ok_or_else(missing)?);
        let mut maps = self.agents.maps();
        if maps.versions.len() >= ENTRIES {
            maps.versions.clear();
        }
        maps.versions.insert(key, prepared.clone());
        Ok(prepared)
    }
}
