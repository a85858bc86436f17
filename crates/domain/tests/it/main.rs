//! Tests of the domain from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod engine;
mod golden;
mod samples;
mod schedules;
mod specs;
mod totality;
