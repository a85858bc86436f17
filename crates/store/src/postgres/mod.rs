//! The store of a cluster: PostgreSQL, shared by any number of processes.
//!
//! Whatever needs a lock or several statements is a function in the database ([`schema`]): one call is one message and
//! one commit, no transaction ever waits for a client, and each statement of a function sees what was committed before
//! its locks were granted. Callers that write often are gathered into batches here, so that one commit serves many.

mod address;
mod agents;
mod append;
mod batch;
mod blobs;
mod budgets;
mod claims;
mod columns;
mod connection;
mod create;
mod fault;
mod firings;
mod identity;
mod inbox;
mod journal;
mod leases;
mod list;
mod maintenance;
mod options;
mod password;
mod pool;
mod positions;
mod refusal;
mod retention;
mod rows;
mod schedules;
pub mod schema;
mod store;
mod stuck;
mod threads;
mod tls;
mod usage;
mod vitals;

pub use connection::{Connection, Driver, Param, connect};
pub use options::{PasswordSource, PostgresOptions};
pub use password::variables;
pub use pool::PoolStats;
pub use refusal::ConnectError;
pub use retention::Housekept;
pub use store::PostgresStore;
pub use stuck::{Mended, Stuck, StuckReason};
