//! Agents and their versions.

pub(crate) mod apply;
pub(crate) mod cache;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod execute;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod schema;
pub(crate) mod view;

use crate::problem::{ApiError, UNKNOWN_AGENT};

/// The problem of a name, id or version that is not there.
pub(crate) fn unknown(which: &str, version: Option<u32>) -> ApiError {
    let detail = match version {
        None => format!("There is no agent `{which}`: apply it first, or look at GET /api/v1/agents."),
        Some(version) => format!("There is no version {version} of an agent `{which}`."),
    };
    ApiError::new(UNKNOWN_AGENT, detail)
}
