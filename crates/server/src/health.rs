//! Whether the server is alive and ready.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use agenticai_store::Store;
use agenticai_wire::HealthView;

use crate::state::Api;

/// Whether the process runs. Says nothing of what it depends on: restarting it would not mend that.
#[utoipa::path(get, path = "/health/live", tag = "operation", responses((status = 200, body = HealthView)))]
pub(crate) async fn live() -> Response {
    answer(BTreeMap::new())
}

/// Whether requests should be sent here: the database answers and the process is not about to stop.
#[utoipa::path(
    get, path = "/health/ready", tag = "operation",
    responses((status = 200, body = HealthView), (status = 503, description = "Not ready", body = HealthView))
)]
pub(crate) async fn ready(State(api): State<Arc<Api>>) -> Response {
    answer(checks(&api).await)
}

/// The same as `/health/ready`, under the name that people try first.
#[utoipa::path(
    get, path = "/health", tag = "operation",
    responses((status = 200, body = HealthView), (status = 503, description = "Not ready", body = HealthView))
)]
pub(crate) async fn health(State(api): State<Arc<Api>>) -> Response {
    answer(checks(&api).await)
}

async fn checks(api: &Api) -> BTreeMap<String, String> {
    let database = database(api.store.as_ref(), api.settings.health_timeout).await;
    let process = if api.shutdown.is_cancelled() { "is stopping" } else { "ok" };
    BTreeMap::from([("database".to_owned(), database), ("process".to_owned(), process.to_owned())])
}

/// `ok`, or what is wrong with the database, which has to answer within `patience`.
pub(crate) async fn database(store: &dyn Store, patience: Duration) -> String {
    match tokio::time::timeout(patience, store.now()).await {
        Ok(Ok(_)) => "ok".to_owned(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database failed its health check");
            "does not answer".to_owned()
        }
        Err(_) => format!("did not answer within {} s", patience.as_secs()),
    }
}

/// What answers call this program.
pub(crate) const SERVICE: &str = "agenticai";

/// The word for how it stands.
pub(crate) fn word(good: bool) -> &'static str {
    if good { "ok" } else { "unavailable" }
}

/// The status for how it stands.
pub(crate) fn status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// All that was looked at.
pub(crate) fn answer(checks: BTreeMap<String, String>) -> Response {
    let good = checks.values().all(|check| check == "ok");
    let view = HealthView {
        status: word(good).to_owned(),
        service: SERVICE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        checks,
    };
    (status(good), Json(view)).into_response()
}
