//! Workers: claim, replay, decide, perform, append.
//!
//! [`Worker::run`] holds one lease at a time. Under it run: the heartbeat (a thread of its own), the claimer, one
//! driver per task ([`drive`]), and the sweeps that any worker may do: dead workers, due timers, orphans. What a
//! worker holds in memory is a cache of the journal: losing it costs a replay and nothing else. [`schedules`] is a loop
//! of its own, which needs no lease.

mod agents;
mod apart;
mod appender;
mod budgets;
mod clock;
mod drive;
mod forgotten;
mod lease;
mod metrics;
mod patience;
mod perform;
mod places;
mod quiet;
pub mod schedules;
mod sweeps;
mod watch;
mod worker;

pub use apart::Apart;
pub use budgets::Tab;
pub use metrics::WorkerMetrics;
pub use perform::{ModelJob, Performer, RealPerformer, TokenSinkOf, ToolJob};
pub use sweeps::wake;
pub use worker::{Stop, Worker, WorkerConfig};
