//! Reading requests, so that every mistake becomes a problem that names its place.

mod headers;
mod json;
mod path;
mod query;

pub(crate) use headers::{IdempotencyKey, Prefer, header_text, traceparent};
pub(crate) use json::ApiJson;
pub(crate) use path::{ApiPath, task_id, unknown_task};
pub(crate) use query::Params;
