//! The store of a cluster: PostgreSQL, shared by any number of processes.
//!
//! Whatever needs a lock or several statements is a function in the database ([`schema`]): one call is one message and
//! one commit, no transaction ever waits for a client, and each statement of a function sees what was committed before
//! its locks were granted. Callers that write often are gathered into batches here, so that one commit serves many.

mod address;
mod connection;
mod fault;
mod options;
mod password;
mod pool;
mod refusal;
pub mod schema;
mod tls;

pub use connection::{Connection, Param};
pub use options::{PasswordSource, PostgresOptions};
pub use password::variables;
pub use pool::PoolStats;
pub use refusal::ConnectError;
