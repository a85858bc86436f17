//! Agents as answers.

use agenticai_domain::spec::{AgentSpec, AgentVersion, ToolDef, ToolSource};
use agenticai_wire::{AgentView, ToolView};

use crate::state::Api;
use crate::tasks::view::rfc3339;

impl Api {
    /// A version with everything that its owner should know.
    pub fn agent_view(&self, version: &AgentVersion) -> AgentView {
        AgentView {
            id: version.id,
            version: version.version,
            spec: version.spec.clone(),
            resolved_tools: version.tools.iter().map(tool_view).collect(),
            created_at: rfc3339(version.created_at),
            warnings: self.warnings(&version.spec),
        }
    }

    /// What applies today: models come and go with the operator's configuration.
    fn warnings(&self, spec: &AgentSpec) -> Vec<String> {
        let Some(model) = &spec.model else { return Vec::new() };
        match self.abilities.check_model(model) {
            Err(error) => vec![error.message],
            Ok(check) => {
                let unpriced = spec.limits.max_cost_usd.is_some() && !check.priced;
                let price = unpriced.then(|| {
                    format!(
                        "the price of `{}` is unknown and `limits.max_cost_usd` is set: tasks are refused until the \
                         operator's price table has it, or the limit goes",
                        model.name
                    )
                });
                check.notice.into_iter().chain(price).collect()
            }
        }
    }
}

fn tool_view(tool: &ToolDef) -> ToolView {
    let source = match tool.source {
        ToolSource::Builtin { .. } => "builtin",
        ToolSource::Http { .. } => "http",
        ToolSource::Mcp { .. } => "mcp",
    };
    ToolView {
        name: tool.name.clone(),
        description: tool.description.clone(),
        effect: tool.effect,
        approval: tool.approval,
        source: source.to_owned(),
    }
}
