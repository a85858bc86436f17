//! Who performs effects for a driver. A seam: the simulator and tests put scripted performers here.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use agenticai_agent::call::CallContext;
use agenticai_agent::models::{ModelCall, Models, TokenSink};
use agenticai_agent::tools::Tools;
use agenticai_broker::{Broker, Live, Token};
use agenticai_domain::engine::{Agent, State};
use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::ModelAttempt;
use agenticai_domain::outcome::{ModelOutcome, ToolOutcome};
use agenticai_domain::spec::ModelRef;
use agenticai_domain::task::{TaskError, TaskHead, codes};
use agenticai_domain::usage::Spend;

use crate::budgets::Tab;

/// A model call to be performed. Borrowed parts are used to build the request, before the future is returned.
pub struct ModelJob<'a> {
    /// The agent version.
    pub agent: &'a Agent,
    /// The task.
    pub task: &'a TaskHead,
    /// What the model is to be told.
    pub state: &'a State,
    /// The turn that the call makes.
    pub turn: u32,
    /// Who calls.
    pub call: CallContext,
    /// When the task has to have ended.
    pub deadline: Option<tokio::time::Instant>,
    /// Where pieces of the answer go.
    pub sink: TokenSinkOf,
    /// Who pays for it.
    pub tab: Arc<Tab>,
}

/// A tool call to be performed.
pub struct ToolJob {
    /// The agent version.
    pub agent: Arc<Agent>,
    /// The tool's index in it.
    pub tool: usize,
    /// The arguments.
    pub arguments: Value,
    /// Who calls.
    pub call: CallContext,
}

/// Performs effects. Dropping a future aborts its call.
pub trait Performer: Send + Sync + 'static {
    /// Asks a model.
    fn model(&self, job: ModelJob<'_>) -> BoxFuture<'static, ModelOutcome>;
    /// Calls a tool.
    fn tool(&self, job: ToolJob) -> BoxFuture<'static, ToolOutcome>;
}

/// Publishes pieces of one model call's answer to the readers of its task.
pub struct TokenSinkOf {
    /// Where to.
    pub broker: Arc<dyn Broker>,
    /// The task.
    pub task: TaskId,
    /// The model call.
    pub step: StepId,
    /// The epoch of the task.
    pub epoch: u32,
}

impl TokenSink for TokenSinkOf {
    fn wanted(&self) -> bool {
        self.broker.has_readers(self.task)
    }

    fn piece(&mut self, attempt: u32, offset: u64, text: &str) {
        let token = Token { step: self.step, epoch: self.epoch, attempt, offset, text: text.to_owned() };
        self.broker.publish(self.task, Live::Token(token));
    }
}

/// The performer of a real worker.
pub struct RealPerformer {
    /// Model providers.
    pub models: Models,
    /// Tools.
    pub tools: Tools,
}

impl Performer for RealPerformer {
    fn model(&self, job: ModelJob<'_>) -> BoxFuture<'static, ModelOutcome> {
        let ModelJob { agent, task, state, turn, call, deadline, mut sink, tab } = job;
        let spec = &agent.version().spec;
        let Some(model) = spec.model.clone() else {
            let error = TaskError::new(codes::MODEL_REFUSED, "the agent names no model");
            return Box::pin(std::future::ready(unsent(turn, &ModelRef::named(""), error)));
        };
        let built = self.models.resolve(&model).and_then(|served| {
            let request = self.models.build(
                &served,
                &ModelCall {
                    model: &model,
                    messages: state.conversation(agent, task, turn),
                    tools: &agent.version().tools,
                    output: spec.output.as_ref(),
                    turn,
                },
            )?;
            Ok((served, request))
        });
        let models = self.models.clone();
        Box::pin(async move {
            match built {
                Ok((served, request)) => {
                    if let Err(error) = tab.reserve(&models.bound(&served, &request, &model)).await {
                        return unsent(turn, &model, error);
                    }
                    models.perform(&served, request, &model, turn, &call, deadline, &mut sink).await
                }
                Err(error) => unsent(turn, &model, error),
            }
        })
    }

    fn tool(&self, job: ToolJob) -> BoxFuture<'static, ToolOutcome> {
        let tools = self.tools.clone();
        Box::pin(async move {
            let ToolJob { agent, tool, arguments, call } = job;
            match agent.tool(tool) {
                Some(def) => tools.call(def, &arguments, &call).await,
                None => ToolOutcome {
                    step: call.step,
                    result: agenticai_domain::outcome::ToolResult::error(
                        "no_tool",
                        "the tool does not exist",
                    ),
                    attempts: 0,
                    took_ms: 0,
                },
            }
        })
    }
}

/// A model call that could not even be built.
fn unsent(turn: u32, model: &ModelRef, error: TaskError) -> ModelOutcome {
    ModelOutcome {
        turn,
        request: ModelAttempt {
            provider: model.provider.clone().unwrap_or_default(),
            model: model.name.clone(),
            dialect: String::new(),
            format: 0,
            sha256: String::new(),
        },
        result: Err(error),
        spend: Spend::default(),
        attempts: 0,
        took_ms: 0,
    }
}
