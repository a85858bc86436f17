//! Effects against real servers on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod models;
mod tools;
