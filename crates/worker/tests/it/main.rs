//! Workers against the embedded store, with scripted performers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod apart;
mod behind;
mod bench;
mod budgets;
mod deaths;
mod faults;
mod lives;
mod schedules;
mod settings;
