//! Metrics, and the route that prints them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use agenticai_store::Store;

use crate::auth::Auth;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Priority {
    priority: u8,
}

/// The server's metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    streams: Gauge,
}

/// What waits for a worker, read from the store whenever somebody asks: every process with a store can say it.
#[derive(Debug, Clone, Default)]
pub struct Backlog {
    ready_tasks: Family<Priority, Gauge>,
    oldest_ready: Family<Priority, Gauge<f64, AtomicU64>>,
}

/// How long the store may take to say what waits.
const PATIENCE: Duration = Duration::from_secs(2);

impl Backlog {
    /// Makes the metrics and adds them to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let backlog = Self::default();
        registry.register(
            "agenticai_tasks_ready",
            "Tasks that no worker has yet, by priority",
            backlog.ready_tasks.clone(),
        );
        registry.register_with_unit(
            "agenticai_tasks_ready_oldest",
            "Age of the oldest task that no worker has yet, by priority",
            Unit::Seconds,
            backlog.oldest_ready.clone(),
        );
        backlog
    }

    /// A store that does not answer must not hide the other metrics, which may say why.
    async fn read(&self, store: &dyn Store) {
        let Ok(Ok(classes)) = tokio::time::timeout(PATIENCE, store.ready_by_priority()).await else { return };
        for priority in 1..=10 {
            let class = classes.iter().find(|class| class.priority == priority);
            let label = Priority { priority };
            let tasks = class.map_or(0, |class| i64::try_from(class.tasks).unwrap_or(i64::MAX));
            self.ready_tasks.get_or_create(&label).set(tasks);
            let age_ms = class.map_or(0, |class| class.oldest_ms);
            self.oldest_ready.get_or_create(&label).set(age_ms as f64 / 1e3);
        }
    }
}

fn latencies() -> Histogram {
    // 0.5 ms to 16 s.
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

impl Metrics {
    /// Makes the metrics and adds them to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(latencies),
            streams: Gauge::default(),
        };
        registry.register(
            "agenticai_http_requests",
            "HTTP requests by method, route and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "agenticai_http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register("agenticai_streams_open", "Event streams that are open", metrics.streams.clone());
        metrics
    }

    /// Counts one request.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        // A client may invent methods; a metric must not grow with them.
        let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"].contains(&method);
        let method = if known { method } else { "other" }.to_owned();
        let route = route.to_owned();
        let labels = RequestLabels { method: method.clone(), route: route.clone(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&RouteLabels { method, route }).observe(took.as_secs_f64());
    }

    /// Counts a stream as open until the guard is dropped.
    pub(crate) fn stream(&self) -> StreamGuard {
        self.streams.inc();
        StreamGuard(self.streams.clone())
    }
}

/// See [`Metrics::stream`].
pub(crate) struct StreamGuard(Gauge);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Metrics in OpenMetrics text.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) async fn metrics(
    State(api): State<Arc<Api>>,
    auth: Result<Auth, ApiError>,
) -> ApiResult<Response> {
    if !api.settings.public_metrics {
        auth?;
    }
    Ok(print(api.store.as_ref(), &api.registry, &api.backlog).await)
}

/// Everything in a registry, with what waits for a worker read anew.
pub(crate) async fn print(store: &dyn Store, registry: &Registry, backlog: &Backlog) -> Response {
    backlog.read(store).await;
    let mut printed = String::new();
    match prometheus_client::encoding::text::encode(&mut printed, registry) {
        Ok(()) => text(printed),
        Err(error) => ApiError::internal(error).into_response(),
    }
}

/// Metrics as an answer.
pub(crate) fn text(metrics: String) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics).into_response()
}
