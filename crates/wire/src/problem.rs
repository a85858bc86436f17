//! Errors as RFC 9457 problem documents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not fulfilled (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Stable and made for programs: `/problems/` and a name, for example `/problems/unknown-agent`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// The request's id, as in the header `x-request-id` and in the server's log.
    pub request_id: String,
    /// Single mistakes, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
}

/// One mistake in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemField {
    /// Where: `tools[2].http.url`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}
