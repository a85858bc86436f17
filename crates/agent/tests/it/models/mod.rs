//! Model providers against a scripted server.

mod anthropic;
mod faults;
mod openai;
mod rebuild;
mod server;
mod thoughts;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use agenticai_agent::call::CallContext;
use agenticai_agent::models::{
    ApiKey, ModelCall, Models, ModelsConfig, ProviderConfig, RetrySettings, TokenSink,
};
use agenticai_domain::conversation::{Message, PartRef};
use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::outcome::ModelOutcome;
use agenticai_domain::spec::{Approval, Effect, ModelRef, RetryPolicy, ToolDef, ToolSource};
use uuid::Uuid;

use server::Server;

/// The pieces that were passed on: attempt, offset, text.
#[derive(Default)]
pub struct Heard(pub Vec<(u32, u64, String)>);

impl TokenSink for Heard {
    fn wanted(&self) -> bool {
        true
    }
    fn piece(&mut self, attempt: u32, offset: u64, text: &str) {
        self.0.push((attempt, offset, text.to_owned()));
    }
}

impl Heard {
    /// The words of one attempt; fails where its pieces leave a gap.
    fn words(&self, attempt: u32) -> String {
        let mut all = String::new();
        for (_, offset, text) in self.0.iter().filter(|(a, ..)| *a == attempt) {
            assert_eq!(*offset, all.chars().count() as u64);
            all.push_str(text);
        }
        all
    }
}

pub fn config(provider: ProviderConfig) -> ModelsConfig {
    ModelsConfig {
        providers: vec![provider],
        connect_timeout: Duration::from_secs(2),
        default_first_token_timeout: Duration::from_secs(5),
        default_timeout: Duration::from_secs(20),
        retry: RetrySettings {
            max_attempts: 3,
            initial: Duration::from_millis(5),
            max: Duration::from_millis(20),
            max_retry_after: Duration::from_secs(5),
        },
        ..ModelsConfig::default()
    }
}

pub fn openai(server: &Server) -> ProviderConfig {
    ProviderConfig::openai(Some(format!("{}/v1", server.url)), Some(ApiKey::new("sk-test", "OPENAI_API_KEY")))
}

pub fn anthropic_at(server: &Server) -> ProviderConfig {
    ProviderConfig::anthropic(Some(server.url.clone()), Some(ApiKey::new("ak-test", "ANTHROPIC_API_KEY")))
}

pub fn context() -> CallContext {
    CallContext {
        tenant: TenantId(Uuid::nil()),
        task: TaskId(Uuid::from_u128(7)),
        step: StepId::model(3),
        epoch: 4,
        first_attempt: 1,
        depth: 0,
        traceparent: Some("00-11111111111111111111111111111111-2222222222222222-01".into()),
        may_send: Arc::new(|| true),
        lease_gone: Arc::new(|| false),
    }
}

pub fn user(text: &str) -> Message<'_> {
    Message::User(vec![PartRef::Text(text.into())])
}

pub fn tool(name: &str) -> ToolDef {
    ToolDef {
        name: name.into(),
        description: "Does it.".into(),
        parameters: json!({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}),
        effect: Effect::None,
        approval: Approval::Never,
        timeout_ms: 1000,
        retry: RetryPolicy::default(),
        max_result_bytes: 1000,
        source: ToolSource::Builtin { builtin: name.into() },
    }
}

/// Builds and performs one call with the model `name`.
pub async fn perform(models: &Models, model: &ModelRef, heard: &mut Heard) -> ModelOutcome {
    let served = models.resolve(model).unwrap();
    let tools = [tool("lookup")];
    let call = ModelCall { model, messages: vec![user("Hi")], tools: &tools, output: None, turn: 3 };
    let request = models.build(&served, &call).unwrap();
    models.perform(&served, request, model, 3, &context(), None, heard).await
}

/// One call to a server that speaks OpenAI's dialect.
pub async fn ask(server: &Server) -> (ModelOutcome, Heard) {
    let models = Models::new(config(openai(server))).unwrap();
    let mut heard = Heard::default();
    let outcome = perform(&models, &ModelRef::named("gpt-5-mini"), &mut heard).await;
    (outcome, heard)
}

pub fn parse(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap()
}
