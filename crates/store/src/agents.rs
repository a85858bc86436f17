//! Agents and their versions.

use async_trait::async_trait;

use agenticai_domain::ids::{AgentId, TenantId, UserId};
use agenticai_domain::spec::{AgentSpec, AgentVersion, ToolDef};

use crate::{Page, Result};

/// How a caller names an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentSelector {
    /// By id.
    Id(AgentId),
    /// By its name in the tenant.
    Name(String),
}

impl From<&str> for AgentSelector {
    /// A text that is a UUID is an id, any other a name (names cannot look like UUIDs to a user who picks them).
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
    }
}

/// A version to be stored.
#[derive(Debug, Clone)]
pub struct NewAgentVersion {
    /// Whose it is.
    pub tenant: TenantId,
    /// As written.
    pub spec: AgentSpec,
    /// Its tools, resolved.
    pub tools: Vec<ToolDef>,
    /// Who applies it.
    pub created_by: Option<UserId>,
}

/// What came of [`Agents::create_agent`].
// Made once per request and taken apart at once: a box would buy nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq)]
pub enum CreateAgent {
    /// Stored as version 1.
    Created(AgentVersion),
    /// The name is taken.
    Exists,
}

/// What came of [`Agents::put_agent`].
#[derive(Debug, Clone, PartialEq)]
pub enum PutAgent {
    /// Stored as a new version (1 where the name was free).
    Stored(AgentVersion),
    /// The newest version says exactly this already.
    Unchanged(AgentVersion),
}

/// Agents and their versions. Versions never change; deleting hides an agent and frees its name, while tasks that run
/// it go on.
#[async_trait]
pub trait Agents {
    /// Stores a new agent.
    async fn create_agent(&self, new: NewAgentVersion) -> Result<CreateAgent>;
    /// Stores a version of an agent by its name, creating the agent where there is none.
    async fn put_agent(&self, new: NewAgentVersion) -> Result<PutAgent>;
    /// A version (`None`: the newest) of an agent that is not deleted.
    async fn agent(
        &self,
        tenant: TenantId,
        which: AgentSelector,
        version: Option<u32>,
    ) -> Result<Option<AgentVersion>>;
    /// A version for a task that runs it, deleted or not.
    async fn agent_of_task(
        &self,
        tenant: TenantId,
        id: AgentId,
        version: u32,
    ) -> Result<Option<AgentVersion>>;
    /// Newest versions, by name. `cursor` is the last name seen.
    async fn list_agents(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<AgentVersion>>;
    /// All versions of one agent, oldest first. `cursor` is the last version seen.
    async fn list_agent_versions(
        &self,
        tenant: TenantId,
        id: AgentId,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<AgentVersion>>;
    /// Hides an agent; `false` where there is none.
    async fn delete_agent(&self, tenant: TenantId, which: AgentSelector) -> Result<bool>;
}
