//! The parts that processes are put together from: `up` takes all of them, each role of a cluster its own.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use agenticai_agent::models::Models;
use agenticai_agent::secrets::Secrets;
use agenticai_agent::tools::Tools;
use agenticai_broker::Broker;
use agenticai_server::{ApiState, Backlog, Metrics};
use agenticai_store::{Isolation, Store, StoreError};
use agenticai_worker::{Apart, RealPerformer, Stop, Worker, WorkerConfig, WorkerMetrics};

use super::abilities::Installed;
use super::choice::{Choice, choose};
use super::open_files;
use super::parts_config;
use crate::commands::Context;
use crate::config::Settings;
use crate::exit::{Failure, Result};

/// Who can reach a process, which decides what its tools may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Programs of this machine alone.
    ThisMachine,
    /// A network.
    Network,
}

/// What performs steps: models and tools, and which model was chosen.
pub struct Performers {
    /// Model providers.
    pub models: Models,
    /// Tools.
    pub tools: Tools,
    /// Which model was chosen, and why.
    pub choice: Choice,
}

/// Looks for models and loads tools.
pub async fn performers(context: &Context, reach: Reach) -> Result<Performers> {
    let settings = &context.loaded.settings;
    let secrets = Secrets::new(settings.secrets_dir.clone());
    let tools = parts_config::tools(settings, secrets.clone(), reach)?;
    // Looking for models and loading certificates take their time side by side.
    let (tools, choice) = tokio::join!(
        tokio::task::spawn_blocking(move || Tools::new(tools)),
        choose(settings, &context.loaded.environment),
    );
    let tools = tools
        .map_err(|error| Failure::failed(format!("a part did not start: {error}")))?
        .map_err(|error| Failure::failed(error.to_string()))?;
    let models = Models::new(parts_config::models(settings, &choice, &secrets, reach)?)
        .map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Performers { models, tools, choice })
}

/// What the API is made of, with its metrics registered.
pub fn api_state(
    settings: &Settings,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    performers: &Performers,
    closing: &CancellationToken,
    register: impl FnOnce(&mut Registry),
) -> ApiState {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let backlog = Backlog::register(&mut registry);
    register(&mut registry);
    ApiState {
        store,
        broker,
        abilities: Arc::new(Installed { models: performers.models.clone(), tools: performers.tools.clone() }),
        settings: parts_config::api(settings),
        registry: Arc::new(registry),
        metrics,
        backlog,
        shutdown: closing.clone(),
    }
}

/// What a worker is there for.
pub struct Post {
    /// Its name, for people.
    pub name: String,
    /// Takes suspects and nothing else, in this company.
    pub suspects: Option<Isolation>,
    /// Who starts processes for suspects.
    pub apart: Option<Arc<dyn Apart>>,
}

impl Post {
    /// An ordinary worker of this process. `role` begins its name.
    pub fn ordinary(role: &str, apart: Option<Arc<dyn Apart>>) -> Self {
        Self { name: format!("{role}-{}{}", host(), std::process::id()), suspects: None, apart }
    }
}

/// A worker at work, and how to stop it.
pub struct Workshop {
    stop: Stop,
    worker: Option<JoinHandle<std::result::Result<(), StoreError>>>,
}

impl Workshop {
    /// Sets a worker to work.
    pub fn start(
        post: Post,
        settings: &Settings,
        drain: Duration,
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        performers: &Performers,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        open_files::make_room(u64::from(settings.worker.concurrency));
        let stop = Stop::default();
        let Post { name, suspects, apart } = post;
        let config = WorkerConfig { name, suspects, drain, ..parts_config::worker(settings) };
        let performer = RealPerformer { models: performers.models.clone(), tools: performers.tools.clone() };
        let worker = Worker { store, broker, performer: Arc::new(performer), metrics, apart, config };
        let worker = tokio::spawn(worker.run(stop.clone()));
        Self { stop, worker: Some(worker) }
    }

    /// Returns when the worker has ended.
    pub async fn ended(&mut self) -> std::result::Result<(), String> {
        let Some(worker) = &mut self.worker else { return Ok(()) };
        let ended = worker.await;
        self.worker = None;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns when the worker has ended by itself, which it does only where the store cannot be worked with.
    pub async fn broken(&mut self) -> Failure {
        work_ended(self.ended().await)
    }

    /// Stops claiming. The worker gives steps in flight the drain time and open `once` calls their own time-out; once
    /// `hurry` is cancelled it hands everything back at once.
    pub async fn drain(&mut self, hurry: CancellationToken) {
        self.stop.drain.cancel();
        let in_time = hurry.run_until_cancelled(self.ended()).await;
        let ended = match in_time {
            Some(ended) => ended,
            None => {
                self.stop.now.cancel();
                self.ended().await
            }
        };
        if let Err(why) = ended {
            tracing::error!(%why, "the worker ended with an error; its tasks go on at the next start");
        }
    }
}

/// What it means that a worker has ended which nobody stopped.
pub fn work_ended(ended: std::result::Result<(), String>) -> Failure {
    match ended {
        Ok(()) => Failure::failed("the worker has ended although nobody stopped it"),
        Err(error) => Failure::failed(format!("the worker cannot go on: {error}")),
    }
}

/// The name of this machine with a dash behind it: in a cluster of pods every process has the number 1.
fn host() -> String {
    #[cfg(unix)]
    {
        let name = rustix::system::uname();
        format!("{}-", name.nodename().to_string_lossy())
    }
    #[cfg(not(unix))]
    String::new()
}
