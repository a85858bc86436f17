//! The API over HTTP, against the real store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abilities;
mod agents;
mod bad_input;
mod budgets;
mod cancel;
mod execute;
mod hand;
mod login;
mod operation;
mod schedules;
mod server;
mod settings;
mod signals;
mod snapshot;
mod sse;
mod stream;
mod tasks;
mod threads;
mod usage;
