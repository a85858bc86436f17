//! The parts of `up` and `run`: everything, on the store of this machine.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use agenticai_agent::tools::Tools;
use agenticai_broker::{Broker, MemoryBroker};
use agenticai_store::sqlite::{OpenError, SqliteOptions, SqliteStore};
use agenticai_store::{AgentSelector, NewAgentVersion, Store};
use agenticai_worker::{WorkerMetrics, schedules};

use super::choice::Choice;
use super::identity::{Owner, owner};
use super::parts::{Post, Reach, Workshop, api_state, performers};
use super::store_metrics::StoreMetrics;
use super::{StartError, assistant};
use crate::commands::Context;
use crate::exit::Failure;

/// The parts of a node that have to be stopped.
pub struct Parts {
    /// Whose installation it is.
    pub owner: Owner,
    /// The worker.
    pub work: Workshop,
    choice: Choice,
    store: SqliteStore,
}

/// Puts the parts together and sets the worker to work.
pub async fn assemble(
    context: &Context,
    drain: Duration,
    closing: &CancellationToken,
) -> Result<(Parts, axum::Router), StartError> {
    let settings = &context.loaded.settings;
    let options = SqliteOptions::new(context.home.path());
    let (opened, performers) = tokio::join!(
        tokio::task::spawn_blocking(move || SqliteStore::open(options)),
        performers(context, Reach::ThisMachine),
    );
    let opened = opened.map_err(|error| Failure::failed(format!("a part did not start: {error}")))?;
    let sqlite = opened.map_err(|error| match error {
        OpenError::Locked { .. } => StartError::InUse(Failure::failed(error.to_string())),
        error => StartError::Failed(Failure::failed(error.to_string())),
    })?;
    let performers = performers?;
    let store: Arc<dyn Store> = Arc::new(sqlite.clone());
    let owner = owner(store.as_ref(), &context.home).await?;
    keep_assistant(store.as_ref(), &performers.tools, &owner, &performers.choice.model).await;

    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::default());
    let worker_metrics = Arc::new(WorkerMetrics::default());
    let state = api_state(settings, store.clone(), broker.clone(), &performers, closing, |registry| {
        worker_metrics.register(registry);
        registry.register_collector(Box::new(StoreMetrics(sqlite.clone())));
    });
    // It holds nothing that has to be handed back: it ends wherever a stop finds it.
    tokio::spawn(schedules::run(Arc::clone(&store), Arc::clone(&broker), closing.clone()));
    let work = Workshop::start(
        Post::ordinary("up", None),
        settings,
        drain,
        store,
        broker,
        &performers,
        worker_metrics,
    );
    let parts = Parts { owner, work, choice: performers.choice, store: sqlite };
    Ok((parts, agenticai_server::router(state)))
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

    /// Closes the store.
    pub async fn close(self) {
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store did not close cleanly; what was accepted is kept all the same");
        }
    }
}
