//! What this installation's models and tools can do, told to the API.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use agenticai_agent::models::{ModelCall, Models};
use agenticai_agent::tools::Tools;
use agenticai_domain::engine::{Agent, State};
use agenticai_domain::journal::{Entry, Recorded};
use agenticai_domain::spec::{AgentSpec, AgentVersion, ModelRef, SpecError, ToolDef};
use agenticai_domain::task::{TaskError, TaskHead};
use agenticai_server::{Abilities, ModelCheck};

/// The real ones.
pub struct Installed {
    /// Model providers.
    pub models: Models,
    /// Tools.
    pub tools: Tools,
}

#[async_trait]
impl Abilities for Installed {
    async fn resolve_tools(&self, spec: &AgentSpec) -> Result<Vec<ToolDef>, Vec<SpecError>> {
        self.tools.resolve(spec).await
    }

    fn check_model(&self, model: &ModelRef) -> Result<ModelCheck, TaskError> {
        let served = self.models.resolve(model)?;
        let priced = self.models.has_price(&served);
        Ok(ModelCheck { notice: served.notice, priced })
    }

    fn rebuild_request(
        &self,
        agent: &AgentVersion,
        task: &TaskHead,
        journal: &[Recorded],
        turn: u32,
    ) -> Result<Bytes, String> {
        let attempt = journal
            .iter()
            .find_map(|recorded| match &recorded.entry {
                Entry::Turn(entry) if entry.turn == turn => Some(&entry.request),
                _ => None,
            })
            .ok_or_else(|| format!("the journal has no turn {turn}"))?;
        let spec = &agent.spec;
        let model = spec.model.as_ref().ok_or("the agent names no model")?;
        let agent = Agent::compile(Arc::new(agent.clone()))?;
        let state = State::replay(&agent, task, journal).map_err(|why| why.to_string())?;
        let messages = state.conversation(&agent, task, turn);
        let tools = &agent.version().tools;
        Models::rebuild(attempt, &ModelCall { model, messages, tools, output: spec.output.as_ref(), turn })
    }
}
