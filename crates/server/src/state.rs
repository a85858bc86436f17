//! What handlers share.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use agenticai_broker::Broker;
use agenticai_store::Store;

use crate::abilities::Abilities;
use crate::agents::cache::AgentCache;
use crate::auth::KeyCache;
use crate::metrics::{Backlog, Metrics};
use crate::tasks::stream::Hub;

/// What the API is built from.
pub struct ApiState {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Hints to workers, and live events.
    pub broker: Arc<dyn Broker>,
    /// What models and tools can do.
    pub abilities: Arc<dyn Abilities>,
    /// Bounds and switches.
    pub settings: ApiSettings,
    /// What `/metrics` prints: the server's own metrics and everybody else's.
    pub registry: Arc<Registry>,
    /// The server's own metrics, registered in `registry`.
    pub metrics: Metrics,
    /// What waits for a worker, registered in `registry`.
    pub backlog: Backlog,
    /// Cancelled when the process is about to stop: streams end, waiting requests answer, `/health/ready` says no.
    pub shutdown: CancellationToken,
}

/// Bounds and switches of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Items of a page where a request does not say.
    pub default_page: u32,
    /// Items of a page at most.
    pub max_page: u32,
    /// Largest metadata of a task, as JSON, in bytes.
    pub max_metadata_bytes: usize,
    /// Longest time-out that a request may give a task.
    pub max_task_timeout: Duration,
    /// How long a key is trusted without being looked up again: a key that is withdrawn stays good for so long.
    pub key_trust: Duration,
    /// How long the store may take to say that it is there, before the server counts as not ready.
    pub health_timeout: Duration,
    /// Longest that `Prefer: wait=N` may hold a request.
    pub max_wait: Duration,
    /// Pause after which a silent stream sends a comment, so that proxies keep it open.
    pub keep_alive: Duration,
    /// How often the store is asked for news of the tasks that are streamed, should a live event be lost.
    pub poll: Duration,
    /// Whether `/metrics` answers without a login.
    pub public_metrics: bool,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            body_limit: 4 * 1024 * 1024,
            default_page: 50,
            max_page: 1000,
            max_metadata_bytes: 16 * 1024,
            max_task_timeout: Duration::from_secs(10 * 366 * 24 * 3600),
            key_trust: Duration::from_secs(5),
            health_timeout: Duration::from_secs(2),
            max_wait: Duration::from_secs(300),
            keep_alive: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            public_metrics: true,
        }
    }
}

/// What handlers share: the parts, and caches that may be lost at any time.
pub(crate) struct Api {
    pub store: Arc<dyn Store>,
    pub broker: Arc<dyn Broker>,
    pub abilities: Arc<dyn Abilities>,
    pub settings: ApiSettings,
    pub registry: Arc<Registry>,
    pub metrics: Metrics,
    pub backlog: Backlog,
    pub shutdown: CancellationToken,
    pub keys: KeyCache,
    pub agents: AgentCache,
    pub hub: Arc<Hub>,
}

impl Api {
    pub fn new(state: ApiState) -> Self {
        let hub = Hub::new(state.store.clone(), state.settings.poll);
        Self {
            store: state.store,
            broker: state.broker,
            abilities: state.abilities,
            settings: state.settings,
            registry: state.registry,
            metrics: state.metrics,
            backlog: state.backlog,
            shutdown: state.shutdown,
            keys: KeyCache::default(),
            agents: AgentCache::default(),
            hub,
        }
    }
}
