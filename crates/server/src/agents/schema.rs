//! `GET /api/v1/agent-schema.json`.

use axum::http::header;
use axum::response::IntoResponse;

/// The JSON Schema (2020-12) of an agent's specification, shorthands included, for editors and checks.
#[utoipa::path(
    get, path = "/api/v1/agent-schema.json", tag = "agents",
    responses((status = 200, description = "The schema", body = Object, content_type = "application/schema+json"))
)]
pub(crate) async fn agent_schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], crate::openapi::agent_schema_text())
}
