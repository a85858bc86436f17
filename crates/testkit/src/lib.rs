//! What the project is proved with; nothing of it is shipped.
//!
//! - [`up`] and [`api`]: `agenticai up` as a process that can be started, killed and started again, and a client for it.
//! - [`stub`]: a model and tools that do as they are told, count every call and log when it began and ended.
//! - [`checker`]: joins the stub's log with the journals and finds broken promises.
//! - [`kill`]: the kill test: hundreds of tasks, dozens of `kill -9`, then the checker.
//! - [`cluster`]: PostgreSQL, RabbitMQ, Redis and several processes of the binary.
//! - [`faults`]: the fault run on a cluster, a long outage, a rolling restart.
//! - [`load`] and [`bench`]: how fast it is.
//! - [`broker_conformance`]: what every broker has to fulfil.
//! - [`servers`]: PostgreSQL and what else a cluster has, as processes that tests start, kill and cut off.
//! - [`real_model`]: the README's prompt against a real language model.

pub mod api;
pub mod bench;
pub mod broker_conformance;
pub mod checker;
pub mod cluster;
pub mod conformance;
pub mod faults;
pub mod front;
pub mod http;
pub mod kill;
pub mod load;
pub mod real_model;
pub mod servers;
pub mod stub;
pub mod up;
