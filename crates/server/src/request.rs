//! What happens around every request: its id, its log line, its metrics, and panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Level;

use crate::problem::ApiError;
use crate::state::Api;

/// Carries the request's id in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub(crate) async fn observe(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    // The template and not the address: ids would give every task a time series of its own.
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);

    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            ApiError::internal(format!("a handler panicked: {}", panic_text(&*panic))).into_response()
        }
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let allow = response.headers_mut().remove(axum::http::header::ALLOW);
        response = error.render(&id);
        if let Some(allow) = allow {
            response.headers_mut().insert(axum::http::header::ALLOW, allow);
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }

    let (status, took) = (response.status(), began.elapsed());
    api.metrics.request(method.as_str(), route, status.as_u16(), took);
    let ms = took.as_secs_f64() * 1e3;
    // A line's level is compiled in: each level needs a line of its own.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(%method, route, status = status.as_u16(), ms, request_id = id, "request")
        };
    }
    match level(status) {
        Level::WARN => line!(warn),
        Level::INFO => line!(info),
        _ => line!(debug),
    }
    response
}

/// How loudly a request is logged. What went well is counted by the metrics; a log has room for what did not.
fn level(status: StatusCode) -> Level {
    if status.is_server_error() {
        Level::WARN
    } else if status.is_client_error() {
        Level::INFO
    } else {
        Level::DEBUG
    }
}

/// The caller's id, if it can stand in a log line and a header; else one of our own.
fn request_id(headers: &HeaderMap) -> String {
    let fits = |id: &&str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    match headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(fits) {
        Some(id) => id.to_owned(),
        None => uuid::Uuid::now_v7().to_string(),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_logged_as_loudly_as_it_failed() {
        for (status, expected) in [
            (200, Level::DEBUG),
            (201, Level::DEBUG),
            (304, Level::DEBUG),
            (404, Level::INFO),
            (422, Level::INFO),
            (500, Level::WARN),
            (503, Level::WARN),
        ] {
            assert_eq!(StatusCode::from_u16(status).map(level).ok(), Some(expected), "{status}");
        }
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let given = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_static(value));
            request_id(&headers)
        };
        assert_eq!(given("client-7.a_b:c"), "client-7.a_b:c");
        for bad in ["", "two words", "quote\"", "a;b"] {
            assert_ne!(given(bad), bad);
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
