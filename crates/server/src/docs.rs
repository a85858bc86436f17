//! `/openapi.json`, and `/docs`: the same for people, with everything it needs in this binary.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::openapi::{openapi, public_openapi};
use crate::state::Api;

/// A document as text, made when somebody asks for it first: a start need not wait for it.
pub(crate) type Document = LazyLock<Bytes>;

/// That of a server with one port.
pub(crate) static WHOLE: Document = LazyLock::new(|| text(&openapi()));
/// That of a port for everybody, where operators have their own.
pub(crate) static PUBLIC: Document = LazyLock::new(|| text(&public_openapi()));

fn text(document: &OpenApi) -> Bytes {
    Bytes::from(document.to_json().unwrap_or_default())
}

pub(crate) fn router(document: &'static Document) -> Router<Arc<Api>> {
    let answer = async || ([(header::CONTENT_TYPE, "application/json")], Bytes::clone(document));
    // The validator badge would call a server on the internet.
    let config = Config::from("/openapi.json").validator_url("none").persist_authorization(true);
    Router::<Arc<Api>>::from(SwaggerUi::new("/docs").config(config)).route("/openapi.json", get(answer))
}
