//! Models and tools for tests: HTTP and built-in tools as they are written, three models.

use agenticai_domain::journal::Recorded;
use agenticai_domain::spec::{
    AgentSpec, AgentVersion, Approval, Effect, ModelRef, SpecError, ToolDef, ToolSource, ToolSpec,
};
use agenticai_domain::task::{TaskError, TaskHead};
use agenticai_server::{Abilities, ModelCheck};
use serde_json::json;

/// `priced` has a price, `stand-in` has none and a notice, `nobody` is not served, `broken` panics.
pub struct Simple;

/// The body of every model call.
pub fn body_of(turn: u32) -> String {
    format!(r#"{{"model":"priced","turn":{turn}}}"#)
}

#[async_trait::async_trait]
impl Abilities for Simple {
    async fn resolve_tools(&self, spec: &AgentSpec) -> Result<Vec<ToolDef>, Vec<SpecError>> {
        let resolve = |(i, tool): (usize, &ToolSpec)| match tool {
            ToolSpec::Http(tool) => Ok(ToolDef {
                name: tool.name.clone(),
                description: tool.description.clone(),
                parameters: tool.parameters.clone(),
                effect: tool.effect,
                approval: tool.approval,
                timeout_ms: ToolDef::TIMEOUT_MS,
                retry: Default::default(),
                max_result_bytes: ToolDef::MAX_RESULT_BYTES,
                source: ToolSource::Http { request: tool.http.clone() },
            }),
            ToolSpec::Builtin(tool) if ["ask_human", "wait_signal"].contains(&tool.builtin.as_str()) => {
                Ok(ToolDef {
                    name: tool.builtin.clone(),
                    description: String::new(),
                    parameters: json!({"type": "object"}),
                    effect: Effect::None,
                    approval: Approval::Never,
                    timeout_ms: ToolDef::TIMEOUT_MS,
                    retry: Default::default(),
                    max_result_bytes: ToolDef::MAX_RESULT_BYTES,
                    source: ToolSource::Builtin { builtin: tool.builtin.clone() },
                })
            }
            _ => Err(vec![SpecError { path: format!("tools[{i}]"), message: "is not known here".into() }]),
        };
        spec.tools.iter().enumerate().map(resolve).collect()
    }

    fn check_model(&self, model: &ModelRef) -> Result<ModelCheck, TaskError> {
        match model.name.as_str() {
            "priced" => Ok(ModelCheck { notice: None, priced: true }),
            "stand-in" => Ok(ModelCheck { notice: Some("a stand-in answers".into()), priced: false }),
            "broken" => panic!("a planted panic"),
            other => Err(TaskError::new("model_unavailable", format!("nobody serves `{other}`: set a key"))),
        }
    }

    fn rebuild_request(
        &self,
        _: &AgentVersion,
        _: &TaskHead,
        _: &[Recorded],
        turn: u32,
    ) -> Result<bytes::Bytes, String> {
        Ok(body_of(turn).into())
    }
}
