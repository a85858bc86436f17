//! Performing effects: model calls and tool calls.
//!
//! Nothing here decides and nothing here journals: the worker hands in what the engine wants done, and hands the
//! [outcome](agenticai_domain::outcome) back to it.

pub mod call;
pub mod models;
pub mod secrets;
pub mod tools;
mod transport;
