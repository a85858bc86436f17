//! What opening takes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::ConnectError;
use super::address::Address;

/// How the database is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user@host:port/database?…`, several hosts with commas. Empty where `variables` say everything.
    pub url: String,
    /// The environment variables of PostgreSQL's own programs (`PGHOST`, `PGSSLMODE`, …): what the URL does not say
    /// is taken from them. Others are ignored.
    pub variables: BTreeMap<String, String>,
    /// Where the password is read for every new connection, so that it may change. Absent: the URL's, else
    /// `PGPASSWORD`, else the file that `PGPASSFILE` names.
    pub password: Option<PasswordSource>,
    /// What the connections call themselves in the server's lists.
    pub application_name: String,
    /// Connections for each purpose: creating tasks, appending, everything else that writes, reading. Heartbeats have
    /// one more of their own.
    pub connections: [usize; 4],
    /// How long a caller waits for a connection before it is told that the database does not answer.
    pub acquire_timeout: Duration,
    /// How long each server may take to accept a connection, login included. The URL's `connect_timeout` goes before.
    pub connect_timeout: Duration,
    /// How long a statement of a pool may take before its connection is given up.
    pub statement_timeout: Duration,
    /// A directory that all processes of the cluster share, for payloads above 64 KiB. Absent: they lie in a table.
    pub blobs_directory: Option<PathBuf>,
    /// Statements are sent without a name, for a pooler that hands each transaction to another server process.
    pub unnamed_statements: bool,
}

/// Where a password is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// A file that holds it and nothing else but a final line break.
    File(PathBuf),
    /// A command line for `sh` that prints it, for example one that makes a token which is valid for minutes.
    Command(String),
    /// An environment variable.
    Variable(String),
}

impl PostgresOptions {
    /// The usual settings for an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            variables: BTreeMap::new(),
            password: None,
            application_name: "agenticai".to_owned(),
            connections: [2, 2, 4, 4],
            acquire_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            blobs_directory: None,
            unnamed_statements: false,
        }
    }

    /// Whether the settings are an address at all; asks no server.
    pub fn check(&self) -> Result<(), ConnectError> {
        Address::of(self).map(drop)
    }

    /// The servers as `host:port`, for people: never a user or a password. Empty where the settings are no address.
    pub fn servers(&self) -> String {
        Address::of(self).map(|address| address.names()).unwrap_or_default()
    }
}
