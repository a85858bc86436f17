//! Which part gets which.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use agenticai_agent::models::Models;
use agenticai_agent::secrets::Secrets;
use agenticai_agent::tools::Tools;
use agenticai_broker::{Broker, MemoryBroker};
use agenticai_server::{ApiSettings, ApiState, Metrics};
use agenticai_store::sqlite::{OpenError, SqliteOptions, SqliteStore};
use agenticai_store::{AgentSelector, NewAgentVersion, Store, StoreError};
use agenticai_worker::{RealPerformer, Stop, Worker, WorkerConfig, WorkerMetrics, schedules};

use super::abilities::Installed;
use super::choice::{Choice, choose};
use super::identity::{Owner, owner};
use super::store_metrics::StoreMetrics;
use super::{StartError, assistant, parts_config};
use crate::commands::Context;
use crate::config::Settings;
use crate::exit::Failure;

/// The parts of a node that have to be stopped.
pub struct Parts {
    /// Whose installation it is.
    pub owner: Owner,
    /// Which model was chosen.
    pub choice: Choice,
    store: SqliteStore,
    stop: Stop,
    worker: Option<JoinHandle<Result<(), StoreError>>>,
}

/// Puts the parts together and sets the worker to work.
pub async fn assemble(
    context: &Context,
    drain: Duration,
    closing: &CancellationToken,
) -> Result<(Parts, axum::Router), StartError> {
    let settings = &context.loaded.settings;
    let secrets = Secrets::new(settings.secrets_dir.clone());
    let tools = parts_config::tools(settings, secrets.clone())?;
    let options = SqliteOptions::new(context.home.path());
    // Opening the database, looking for models and loading certificates take their time side by side.
    let (opened, tools, choice) = tokio::join!(
        tokio::task::spawn_blocking(move || SqliteStore::open(options)),
        tokio::task::spawn_blocking(move || Tools::new(tools)),
        choose(settings, &context.loaded.environment),
    );
    let panicked = |error| Failure::failed(format!("a part did not start: {error}"));
    let sqlite = opened.map_err(panicked)?.map_err(|error| match error {
        OpenError::Locked { .. } => StartError::InUse(Failure::failed(error.to_string())),
        error => StartError::Failed(Failure::failed(error.to_string())),
    })?;
    let tools = tools.map_err(panicked)?.map_err(|error| Failure::failed(error.to_string()))?;
    let store: Arc<dyn Store> = Arc::new(sqlite.clone());
    let owner = owner(store.as_ref(), &context.home).await?;
    let models = Models::new(parts_config::models(settings, &choice, &secrets)?)
        .map_err(|error| Failure::usage(error.to_string()))?;
    keep_assistant(store.as_ref(), &tools, &owner, &choice.model).await;

    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let worker_metrics = Arc::new(WorkerMetrics::default());
    worker_metrics.register(&mut registry);
    registry.register_collector(Box::new(StoreMetrics(sqlite.clone())));

    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::default());
    let stop = Stop::default();
    let worker = Worker {
        store: Arc::clone(&store),
        broker: Arc::clone(&broker),
        performer: Arc::new(RealPerformer { models: models.clone(), tools: tools.clone() }),
        metrics: worker_metrics,
        config: worker_config(settings, drain),
    };
    let worker = tokio::spawn(worker.run(stop.clone()));
    // It holds nothing that has to be handed back: it ends wherever a stop finds it.
    tokio::spawn(schedules::run(Arc::clone(&store), Arc::clone(&broker), stop.drain.clone()));
    let router = agenticai_server::router(ApiState {
        store,
        broker,
        abilities: Arc::new(Installed { models, tools }),
        settings: ApiSettings { body_limit: settings.server.max_body_bytes, ..ApiSettings::default() },
        registry: Arc::new(registry),
        metrics,
        shutdown: closing.clone(),
    });
    Ok((Parts { owner, choice, store: sqlite, stop, worker: Some(worker) }, router))
}

fn worker_config(settings: &Settings, drain: Duration) -> WorkerConfig {
    WorkerConfig {
        name: format!("up-{}", std::process::id()),
        concurrency: settings.worker.concurrency as usize,
        lease_ttl: settings.worker.lease_ttl,
        drain,
    }
}

/// Sees to it that `assistant` exists and asks for the model that was chosen. Without it everything else works, so a
/// failure is said and no reason not to start.
async fn keep_assistant(store: &dyn Store, tools: &Tools, owner: &Owner, model: &str) {
    let keep = async {
        let spec = assistant::spec(model).map_err(|error| error.to_string())?;
        let tenant = owner.principal.tenant;
        let named = AgentSelector::Name(spec.name.clone());
        let stored = store.agent(tenant, named, None).await.map_err(|error| error.to_string())?;
        if !assistant::is_outdated(stored.as_ref(), &spec) {
            return Ok(());
        }
        let tools = tools.resolve(&spec).await.map_err(|mistakes| format!("{mistakes:?}"))?;
        let new = NewAgentVersion { tenant, spec, tools, created_by: Some(owner.principal.user) };
        store.put_agent(new).await.map(drop).map_err(|error| error.to_string())
    };
    let kept: Result<(), String> = keep.await;
    if let Err(why) = kept {
        tracing::warn!(%why, "the built-in agent `{}` cannot be stored", assistant::NAME);
    }
}

impl Parts {
    /// Which model `assistant` uses, and why.
    pub fn model_line(&self) -> String {
        format!("{} ({})", self.choice.model, self.choice.because)
    }

    /// Returns when the worker has ended.
    pub async fn worker_ended(&mut self) -> Result<(), String> {
        let Some(worker) = &mut self.worker else { return Ok(()) };
        let ended = worker.await;
        self.worker = None;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Stops claiming. The worker gives steps in flight the drain time and open `once` calls their own time-out; once
    /// `hurry` is cancelled it hands everything back at once.
    pub async fn drain(&mut self, hurry: CancellationToken) {
        self.stop.drain.cancel();
        let in_time = hurry.run_until_cancelled(self.worker_ended()).await;
        let ended = match in_time {
            Some(ended) => ended,
            None => {
                self.stop.now.cancel();
                self.worker_ended().await
            }
        };
        if let Err(why) = ended {
            tracing::error!(%why, "the worker ended with an error; its tasks go on at the next start");
        }
    }

    /// Closes the store.
    pub async fn close(self) {
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store did not close cleanly; what was accepted is kept all the same");
        }
    }
}
