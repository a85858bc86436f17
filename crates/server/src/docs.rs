//! `/openapi.json`, and `/docs`: the same for people, with everything it needs in this binary.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::state::Api;

/// Made when somebody asks for it first: a start need not wait for it.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| Bytes::from(crate::openapi::openapi().to_json().unwrap_or_default()));

pub(crate) fn router() -> Router<Arc<Api>> {
    // The validator badge would call a server on the internet.
    let config = Config::from("/openapi.json").validator_url("none").persist_authorization(true);
    Router::<Arc<Api>>::from(SwaggerUi::new("/docs").config(config)).route("/openapi.json", get(document))
}

async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}
