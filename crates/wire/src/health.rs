//! Whether a server is alive and ready.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `/health`, `/health/live` and `/health/ready` on a port for everybody, where operators have their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BareHealthView {
    /// `ok` or `unavailable`.
    pub status: String,
    /// Always `agenticai`: tells this server from others that answer on the same port.
    pub service: String,
}

/// Answer of `/health`, `/health/live` and `/health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// `ok` or `unavailable`.
    pub status: String,
    /// Always `agenticai`: tells this server from others that answer on the same port.
    pub service: String,
    /// The program's version.
    pub version: String,
    /// What was looked at, and `ok` or what is wrong with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, String>,
}
