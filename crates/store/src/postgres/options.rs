//! What opening takes.

use std::time::Duration;

/// How the database is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user@host:port/database?…`.
    pub url: String,
    /// Connections for each purpose: creating tasks, appending, everything else that writes, reading. Heartbeats have
    /// one more of their own.
    pub connections: [usize; 4],
    /// How long a caller waits for a connection before it is told that the database does not answer.
    pub acquire_timeout: Duration,
    /// Statements are sent without a name, for a pooler that hands each transaction to another server process.
    pub unnamed_statements: bool,
}

impl PostgresOptions {
    /// The usual settings for an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: [2, 2, 4, 4],
            acquire_timeout: Duration::from_secs(5),
            unnamed_statements: false,
        }
    }
}
