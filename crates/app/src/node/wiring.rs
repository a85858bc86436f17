//! Which part gets which.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use agenticai_agent::models::{
    ApiKey, Dialect, Models, ModelsConfig, PriceRow, ProviderConfig, RetrySettings,
};
use agenticai_agent::secrets::Secrets;
use agenticai_agent::tools::egress::EgressPolicy;
use agenticai_agent::tools::{McpServerConfig, Tools, ToolsConfig};
use agenticai_broker::{Broker, MemoryBroker};
use agenticai_server::{ApiSettings, ApiState, Metrics};
use agenticai_store::sqlite::{OpenError, SqliteOptions, SqliteStore};
use agenticai_store::{AgentSelector, Agents, NewAgentVersion, Store, StoreError};
use agenticai_worker::{RealPerformer, Stop, Worker, WorkerConfig, WorkerMetrics};

use super::StartError;
use super::abilities::Installed;
use super::assistant;
use super::choice::{Choice, choose};
use super::identity::{Owner, owner};
use super::store_metrics::StoreMetrics;
use crate::commands::Context;
use crate::config::{McpServer, Provider, ProviderDialect, Settings};
use crate::exit::Failure;

/// The parts of a node that have to be stopped.
pub struct Parts {
    /// Whose installation it is.
    pub owner: Owner,
    model: String,
    store: SqliteStore,
    stop: Stop,
    worker: JoinHandle<Result<(), StoreError>>,
}

/// Puts the parts together.
pub async fn assemble(
    context: &Context,
    closing: &CancellationToken,
) -> Result<(Parts, axum::Router), StartError> {
    let settings = &context.loaded.settings;
    let embedded = open(settings).await?;
    let store: Arc<dyn Store> = Arc::new(embedded.clone());
    let owner = owner(store.as_ref(), &context.home).await?;
    let choice = choose(settings, &context.loaded.environment).await;
    let secrets = Secrets::new(settings.secrets_dir.clone());
    let models = models(settings, &choice, &secrets)?;
    let tools = tools(settings, secrets)?;
    keep_assistant(&embedded, &tools, &owner, &choice.model).await?;

    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::default());
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let worker_metrics = Arc::new(WorkerMetrics::default());
    worker_metrics.register(&mut registry);
    registry.register_collector(Box::new(StoreMetrics(embedded.clone())));

    let stop = Stop::default();
    let worker = Worker {
        store: store.clone(),
        broker: broker.clone(),
        performer: Arc::new(RealPerformer { models: models.clone(), tools: tools.clone() }),
        metrics: worker_metrics,
        config: WorkerConfig {
            name: format!("up-{}", std::process::id()),
            concurrency: settings.worker.concurrency as usize,
            lease_ttl: settings.worker.lease_ttl,
            drain: settings.worker.drain,
        },
    };
    let worker = tokio::spawn(worker.run(stop.clone()));
    let router = agenticai_server::router(ApiState {
        store,
        broker,
        abilities: Arc::new(Installed { models, tools }),
        settings: ApiSettings { body_limit: settings.server.max_body_bytes, ..ApiSettings::default() },
        registry: Arc::new(registry),
        metrics,
        shutdown: closing.clone(),
    });
    let model = format!("{} ({})", choice.model, choice.because);
    Ok((Parts { owner, model, store: embedded, stop, worker }, router))
}

impl Parts {
    /// Which model `assistant` uses, and why.
    pub fn model_line(&self) -> String {
        self.model.clone()
    }

    /// Returns when the worker has ended.
    pub async fn worker_ended(&mut self) -> Result<(), String> {
        match (&mut self.worker).await {
            Ok(result) => result.map_err(|why| why.to_string()),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Stops claiming and gives steps in flight `within`, or less once `hurry` is cancelled.
    pub async fn drain(&mut self, within: Duration, hurry: CancellationToken) {
        self.stop.drain.cancel();
        let drained = tokio::time::timeout(within, hurry.cancelled());
        tokio::select! {
            _ = &mut self.worker => return,
            hurried = drained => {
                if hurried.is_ok() {
                    self.stop.now.cancel();
                }
            }
        }
        // What is left now are `once` calls within their own time-out, unless somebody is in a hurry.
        tokio::select! {
            _ = &mut self.worker => {}
            () = async {
                hurry.cancelled().await;
                self.stop.now.cancel();
                std::future::pending::<()>().await;
            } => {}
        }
    }

    /// Closes the store.
    pub async fn close(self) {
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the store did not close cleanly; what was acknowledged is safe");
        }
    }
}

async fn open(settings: &Settings) -> Result<SqliteStore, StartError> {
    let options = SqliteOptions::new(&settings.data_dir);
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(options)).await;
    match opened {
        Ok(Ok(store)) => Ok(store),
        Ok(Err(error @ OpenError::Locked { .. })) => {
            Err(StartError::InUse(Failure::failed(error.to_string())))
        }
        Ok(Err(error)) => Err(StartError::Failed(Failure::failed(error.to_string()))),
        Err(error) => {
            Err(StartError::Failed(Failure::failed(format!("the store cannot be opened: {error}"))))
        }
    }
}

fn models(settings: &Settings, choice: &Choice, secrets: &Secrets) -> Result<Models, Failure> {
    let providers = choice
        .providers
        .iter()
        .map(|provider| provider_config(provider, choice, secrets))
        .collect::<Result<Vec<_>, Failure>>()?;
    let prices = settings
        .prices
        .iter()
        .map(|price| PriceRow {
            provider: price.provider.clone(),
            model: price.model.clone(),
            input: price.input,
            cached_input: Some(price.cached_input),
            cache_write: None,
            output: price.output,
            up_to_input_tokens: None,
        })
        .collect();
    let config = ModelsConfig {
        providers,
        prices,
        connect_timeout: settings.models.connect_timeout,
        default_first_token_timeout: settings.models.first_token_timeout,
        default_timeout: settings.models.timeout,
        retry: RetrySettings { max_attempts: settings.models.max_attempts, ..RetrySettings::default() },
        practice: choice.practice,
    };
    Models::new(config).map_err(|error| Failure::usage(error.to_string()))
}

fn provider_config(
    provider: &Provider,
    choice: &Choice,
    secrets: &Secrets,
) -> Result<ProviderConfig, Failure> {
    let api_key = match &provider.api_key {
        None => None,
        Some(reference) => {
            let value = secrets
                .resolve(reference)
                .map_err(|why| Failure::usage(format!("providers.{}.api_key: {why}", provider.name)))?;
            let variable = reference.trim_start_matches("${secret:").trim_end_matches('}');
            let named = if variable == reference { "api_key" } else { variable };
            Some(ApiKey::new(value, named))
        }
    };
    let models = choice.models.iter().find(|(name, _)| *name == provider.name);
    Ok(ProviderConfig {
        name: provider.name.clone(),
        dialect: match provider.dialect {
            ProviderDialect::OpenAi => Dialect::OpenAi,
            ProviderDialect::Anthropic => Dialect::Anthropic,
        },
        base_url: provider.url.clone(),
        api_key,
        serves_any: provider.serves_any,
        models: models.map(|(_, models)| models.clone()).unwrap_or_default(),
        streaming: provider.stream,
    })
}

fn tools(settings: &Settings, secrets: Secrets) -> Result<Tools, Failure> {
    let egress = EgressPolicy::parse(&settings.egress_allow, true).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(|m| format!("egress.allow: {m}")).collect();
        Failure::usage(lines.join("\n"))
    })?;
    let server = |server: &McpServer| McpServerConfig {
        command: server.command.clone(),
        env: server.env.clone(),
        url: server.url.clone(),
        headers: server.headers.clone(),
    };
    let config = ToolsConfig {
        egress,
        secrets,
        mcp_servers: settings.mcp.iter().map(|(name, of)| (name.clone(), server(of))).collect(),
        // `up` listens on loopback addresses only: whoever reaches it may start programs anyway.
        allow_stdio: true,
        max_once_timeout: settings.worker.max_once_timeout,
        lookup: None,
    };
    Tools::new(config).map_err(|error| Failure::failed(error.to_string()))
}

/// Applies the built-in agent where there is none, or where its model has changed and nothing else.
async fn keep_assistant(
    store: &SqliteStore,
    tools: &Tools,
    owner: &Owner,
    model: &str,
) -> Result<(), Failure> {
    let failed = |why: String| Failure::failed(format!("the built-in agent cannot be stored: {why}"));
    let spec = assistant::spec(model).map_err(|why| failed(why.to_string()))?;
    let tenant = owner.principal.tenant;
    let stored = store
        .agent(tenant, AgentSelector::Name(assistant::NAME.to_owned()), None)
        .await
        .map_err(|why| failed(why.to_string()))?;
    if !assistant::is_outdated(stored.as_ref(), &spec) {
        return Ok(());
    }
    let tools = tools.resolve(&spec).await.map_err(|mistakes| {
        failed(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let version = NewAgentVersion { tenant, spec, tools, created_by: Some(owner.principal.user) };
    store.put_agent(version).await.map_err(|why| failed(why.to_string()))?;
    Ok(())
}
