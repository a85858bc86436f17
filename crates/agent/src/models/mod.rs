//! Model calls.
//!
//! The way of a call: [`Models::resolve`] finds who serves the model, [`Models::build`] makes the bytes of the request
//! and their digest, [`Models::perform`] sends them until an answer has come or none can be had. What was sent can be
//! built again later with [`Models::rebuild`].
//!
//! Two dialects are spoken: OpenAI's Chat Completions (`openai`, also by every compatible server) and Anthropic's
//! Messages (`anthropic`). The third, `practice`, is a stand-in inside this program for machines that have neither a
//! key nor a server.

mod answer;
mod anthropic;
mod attempt;
mod bound;
mod config;
mod content;
mod fault;
mod http;
mod openai;
mod perform;
mod practice;
mod price;
mod request;
mod resolve;
mod retry;
mod sse;
mod text;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use futures_util::future::BoxFuture;

use agenticai_domain::journal::ModelAttempt;
use agenticai_domain::outcome::ModelOutcome;
use agenticai_domain::spec::ModelRef;
use agenticai_domain::task::TaskError;

use crate::call::CallContext;

pub use bound::{ASSUMED_OUTPUT_TOKENS, Bound};
pub use config::{ApiKey, Dialect, ModelsConfig, ModelsError, ProviderConfig, RetrySettings};
pub use price::{PriceRow, PriceTable};
pub use request::{FORMAT, ModelCall, Request};
pub use resolve::Served;
pub use tokens::{NoSink, TokenSink};

/// The configured providers and prices. Cheap to clone.
#[derive(Clone)]
pub struct Models(Arc<Inner>);

struct Inner {
    providers: Vec<Provider>,
    configs: Vec<ProviderConfig>,
    prices: price::Prices,
    default_first_token_timeout: Duration,
    default_timeout: Duration,
    retry: RetrySettings,
    practice: bool,
}

struct Provider {
    config: ProviderConfig,
    endpoint: http::Endpoint,
}

impl Models {
    /// Checks a configuration and sets the HTTP clients up.
    pub fn new(config: ModelsConfig) -> Result<Self, ModelsError> {
        let mut providers: Vec<Provider> = Vec::with_capacity(config.providers.len());
        for provider in &config.providers {
            let taken = provider.name == resolve::PRACTICE || provider.dialect == Dialect::Practice;
            if taken || providers.iter().any(|p| p.config.name == provider.name) {
                return Err(ModelsError::Name(provider.name.clone()));
            }
            let endpoint = http::Endpoint::new(provider, config.connect_timeout)?;
            providers.push(Provider { config: provider.clone(), endpoint });
        }
        Ok(Self(Arc::new(Inner {
            providers,
            configs: config.providers,
            prices: price::Prices::new(config.prices)?,
            default_first_token_timeout: config.default_first_token_timeout,
            default_timeout: config.default_timeout,
            retry: config.retry,
            practice: config.practice,
        })))
    }

    /// Which provider serves a model. The error, `model_refused`, names what to set.
    pub fn resolve(&self, model: &ModelRef) -> Result<Served, TaskError> {
        resolve::resolve(model, &self.0.configs, self.0.practice)
    }

    /// A model for agents that name none: of the first provider that can be used.
    pub fn default_model(&self) -> ModelRef {
        resolve::default_model(&self.0.configs)
    }

    /// Whether the cost of calls to this model can be told.
    pub fn has_price(&self, served: &Served) -> bool {
        self.0.prices.knows(&served.provider, &served.model)
    }

    /// The request for a call: the same bytes for the same call, always. The error, `model_refused`, says which part
    /// of the conversation the provider cannot take.
    pub fn build(&self, served: &Served, call: &ModelCall<'_>) -> Result<Request, TaskError> {
        request::build(served, call)
    }

    /// The most that one attempt of a call can consume.
    pub fn bound(&self, served: &Served, request: &Request, model: &ModelRef) -> Bound {
        bound::bound(&self.0, served, request, model)
    }

    /// The exact bytes of an earlier request, from what the journal says of it and the same call. No provider needs to
    /// be configured. The error says why they cannot be had, also when they would not match the journaled digest.
    pub fn rebuild(attempt: &ModelAttempt, call: &ModelCall<'_>) -> Result<Bytes, String> {
        request::rebuild(attempt, call)
    }

    /// Sends a request and reads the answer, with as many attempts as it takes and `deadline` and the model's
    /// time-outs allow. Words go to `tokens` as they come. Dropping the future ends the HTTP request.
    ///
    /// Errors are `context_overflow`, `model_refused` (another attempt would not help), `model_unavailable`,
    /// `model_garbage` (all attempts got something that is no answer) and `deadline_exceeded`.
    #[allow(clippy::too_many_arguments)]
    pub fn perform<'a>(
        &'a self,
        served: &'a Served,
        request: Request,
        model: &'a ModelRef,
        turn: u32,
        ctx: &'a CallContext,
        deadline: Option<Instant>,
        tokens: &'a mut dyn TokenSink,
    ) -> BoxFuture<'a, ModelOutcome> {
        // Boxed so that the HTTP client behind it is compiled with this crate.
        let asked = perform::Asked { model, turn, ctx, deadline };
        Box::pin(perform::perform(&self.0, served, request, asked, tokens))
    }
}
