//! What the API needs of models and tools, without knowing them.

use async_trait::async_trait;
use bytes::Bytes;

use agenticai_domain::journal::Recorded;
use agenticai_domain::spec::{AgentSpec, AgentVersion, ModelRef, SpecError, ToolDef};
use agenticai_domain::task::{TaskError, TaskHead};

/// Who would answer for a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelCheck {
    /// Said to the agent's owner: for example that a stand-in serves the name.
    pub notice: Option<String>,
    /// Whether its price is known, so that `max_cost_usd` can be kept.
    pub priced: bool,
}

/// What the models and tools of this installation can do.
#[async_trait]
pub trait Abilities: Send + Sync + 'static {
    /// Every tool of a specification, looked up: this may ask MCP servers what they offer. All mistakes at once.
    async fn resolve_tools(&self, spec: &AgentSpec) -> Result<Vec<ToolDef>, Vec<SpecError>>;

    /// Who serves a model. Asked for each new task, so it must not wait for anything.
    fn check_model(&self, model: &ModelRef) -> Result<ModelCheck, TaskError>;

    /// The body of the request that made turn `turn`, byte by byte as it was sent. `journal` holds all entries of the
    /// task. The error is for people.
    fn rebuild_request(
        &self,
        agent: &AgentVersion,
        task: &TaskHead,
        journal: &[Recorded],
        turn: u32,
    ) -> Result<Bytes, String>;
}
