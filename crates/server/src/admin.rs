//! What a process of a cluster tells those who run it, on a port of its own: whether it lives, whether it is ready, and
//! its metrics. It answers from the process's first moment on, before there is a database to speak to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::registry::Registry;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use agenticai_store::Store;
use agenticai_wire::BareHealthView;

use crate::metrics::{self, Backlog};
use crate::{health, problem};

/// How a process stands. Cloning it is cheap; all clones are one.
#[derive(Clone)]
pub struct Standing(Arc<Inner>);

struct Inner {
    /// How long the database may take to say that it is there.
    health_timeout: Duration,
    phase: Mutex<Phase>,
    parts: OnceLock<Parts>,
}

/// What there is to look at once the process works.
struct Parts {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    backlog: Backlog,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// What it waits for.
    Starting(String),
    Working,
    Stopping,
}

impl Default for Phase {
    fn default() -> Self {
        Self::Starting("is starting".to_owned())
    }
}

impl Standing {
    /// It is starting. Later its database has to answer within `health_timeout`, or it is not ready.
    pub fn new(health_timeout: Duration) -> Self {
        Self(Arc::new(Inner { health_timeout, phase: Mutex::default(), parts: OnceLock::new() }))
    }

    /// It cannot work yet: for people, what it waits for.
    pub fn waits_for(&self, what: impl Into<String>) {
        self.change(Phase::Starting(what.into()));
    }

    /// It works, with these parts. A process that stops meanwhile stays one that stops.
    pub fn works(&self, store: Arc<dyn Store>, registry: Arc<Registry>, backlog: Backlog) {
        // It begins to work once: a second call finds the parts of the first.
        let _ = self.0.parts.set(Parts { store, registry, backlog });
        self.change(Phase::Working);
    }

    /// It is about to stop: nothing new should be sent to it. Final.
    pub fn stops(&self) {
        self.change(Phase::Stopping);
    }

    fn change(&self, to: Phase) {
        let mut phase = self.0.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != Phase::Stopping {
            *phase = to;
        }
    }

    fn phase(&self) -> Phase {
        self.0.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was looked at, and `ok` or what is wrong with it.
    async fn checks(&self) -> BTreeMap<String, String> {
        let process = match self.phase() {
            Phase::Starting(what) => what,
            Phase::Working => "ok".to_owned(),
            Phase::Stopping => "is stopping".to_owned(),
        };
        let mut checks = BTreeMap::from([("process".to_owned(), process)]);
        if let Some(parts) = self.0.parts.get() {
            checks.insert(
                "database".to_owned(),
                health::database(parts.store.as_ref(), self.0.health_timeout).await,
            );
        }
        checks
    }
}

/// The routes of the port for operators.
pub fn admin_router(standing: Standing) -> Router {
    Router::new()
        .route("/health", get(ready))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(print_metrics))
        .fallback(problem::not_found)
        .with_state(standing)
}

async fn ready(State(standing): State<Standing>) -> Response {
    health::answer(standing.checks().await)
}

async fn print_metrics(State(standing): State<Standing>) -> Response {
    match standing.0.parts.get() {
        Some(parts) => metrics::print(parts.store.as_ref(), &parts.registry, &parts.backlog).await,
        // A scrape that finds nothing is better than one that fails: the process lives.
        None => metrics::text("# EOF\n".to_owned()),
    }
}

/// The routes of the public port that say how the process stands, and nothing more of it than that.
pub(crate) fn bare_routes() -> OpenApiRouter<Standing> {
    OpenApiRouter::new().routes(routes!(bare_health)).routes(routes!(bare_live)).routes(routes!(bare_ready))
}

/// Whether the process runs. Says nothing of what it depends on: restarting it would not mend that.
#[utoipa::path(
    get, path = "/health/live", tag = "operation", operation_id = "live",
    responses((status = 200, body = BareHealthView))
)]
async fn bare_live() -> Response {
    bare(true)
}

/// Whether requests should be sent here: the database answers and the process is not about to stop.
#[utoipa::path(
    get, path = "/health/ready", tag = "operation", operation_id = "ready",
    responses((status = 200, body = BareHealthView), (status = 503, description = "Not ready", body = BareHealthView))
)]
async fn bare_ready(State(standing): State<Standing>) -> Response {
    bare(standing.checks().await.values().all(|check| check == "ok"))
}

/// The same as `/health/ready`, under the name that people try first.
#[utoipa::path(
    get, path = "/health", tag = "operation", operation_id = "health",
    responses((status = 200, body = BareHealthView), (status = 503, description = "Not ready", body = BareHealthView))
)]
async fn bare_health(standing: State<Standing>) -> Response {
    bare_ready(standing).await
}

fn bare(good: bool) -> Response {
    let view = BareHealthView { status: health::word(good).to_owned(), service: health::SERVICE.to_owned() };
    (health::status(good), Json(view)).into_response()
}
