//! What POST and PUT have in common: a specification is checked and its tools are looked up before it is stored.

use agenticai_domain::spec::{AgentSpec, SpecError};
use agenticai_store::{NewAgentVersion, Principal};

use crate::problem::{ApiError, ApiResult, MODEL_NOT_SERVED};
use crate::state::Api;

impl Api {
    /// A version that may be stored.
    pub async fn resolve_agent(&self, who: Principal, spec: AgentSpec) -> ApiResult<NewAgentVersion> {
        let mut found = spec.check();
        // Agents are named by name or id in one place of an address: a name must not look like an id.
        if uuid::Uuid::parse_str(&spec.name).is_ok() {
            let message = "looks like an id: choose another name".to_owned();
            found.push(SpecError { path: "name".to_owned(), message });
        }
        if !found.is_empty() {
            return Err(ApiError::invalid_agent(found));
        }
        if let Some(model) = &spec.model {
            self.abilities.check_model(model).map_err(|e| ApiError::new(MODEL_NOT_SERVED, e.message))?;
        }
        let tools = self.abilities.resolve_tools(&spec).await.map_err(ApiError::invalid_agent)?;
        Ok(NewAgentVersion { tenant: who.tenant, spec, tools, created_by: Some(who.user) })
    }
}
