//! What agents, tasks and journals are, and how a task is decided.
//!
//! The engine is pure: [`engine::State::apply`] folds a journal, [`engine::plan`] says what is to be journaled and
//! performed next. There is no clock, no I/O and no runtime here, so that hundreds of thousands of crash schedules
//! can be tried in seconds.

pub mod budget;
pub mod conversation;
pub mod engine;
pub mod ids;
pub mod inbox;
pub mod journal;
pub mod outcome;
pub mod schedule;
pub mod schema;
pub mod spec;
pub mod task;
pub mod thread;
pub mod usage;

#[cfg(test)]
mod simulation;
