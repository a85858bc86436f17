//! The embedded store: SQLite, for one process on one machine.
//!
//! One thread writes. It takes whatever commands have gathered while the last commit ran, performs each in a savepoint
//! of its own, commits them together and answers them all: the disk is synced once per batch, not once per command,
//! and nobody waits for a timer. A few other threads read; in WAL mode they neither wait for the writer nor hold it up,
//! and see everything that was answered. A last thread copies the log into the database file behind the writer's back.
//!
//! Large payloads go to [blobs](crate::blobs) before the transaction that refers to them. Everything that costs time
//! and needs no lock (sealing, hashing, decoding) is done by the caller, before and after its turn with the writer.

mod agents;
mod append;
mod beats;
mod budgets;
mod checkpoint;
mod claims;
mod clock;
mod connection;
mod create;
mod ends;
mod fault;
mod firings;
mod identity;
mod inbox;
mod journal;
mod leases;
mod list;
mod maintenance;
mod options;
mod readers;
mod rows;
mod schedules;
mod schema;
mod stats;
mod store;
mod threads;
mod transaction;
mod usage;
mod writer;

pub use connection::Pragmas;
pub use options::{OpenError, SqliteOptions};
pub use stats::SqliteStats;
pub use store::SqliteStore;
