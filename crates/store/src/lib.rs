//! Storage: the traits that every store fulfils, and the stores.
//!
//! A store keeps the promises that need a lock or a commit: a run of entries is accepted whole or not at all, a dead
//! worker's appends are refused, a signal is never lost between look and wait. One conformance suite
//! ([`agenticai_testkit`](../agenticai_testkit/index.html)) holds every store to it.

mod agents;
mod budgets;
mod cancel;
mod error;
mod identity;
mod journal;
mod leases;
mod maintenance;
mod payload;
mod schedules;
mod status;
mod tasks;
mod threads;
mod usage;

pub mod blobs;
pub mod postgres;
pub mod sqlite;

pub use agents::{AgentSelector, Agents, CreateAgent, NewAgentVersion, PutAgent};
pub use budgets::{
    BudgetRow, BudgetSelector, Budgets, Charge, CreateBudget, Draw, DrawRequest, Keep, NewBudget, Payer,
};
pub use cancel::{CancelOutcome, SUPERSEDED, cancel, read_whole_journal};
pub use error::{Result, StoreError};
pub use identity::{Bootstrap, Identity, KeyHash, Principal, UserRole};
pub use journal::{Append, AppendOutcome, Journal, Then};
pub use leases::{
    Beat, Claimed, Isolation, Leases, Observed, ReadyClass, Suspects, Wanted, WorkerId, WorkerInfo,
};
pub use maintenance::{Maintenance, PausedTasks};
pub use schedules::{
    Advance, ChangeSchedule, Fire, FireOutcome, NewFiring, NewSchedule, PutSchedule, QueuedFiring,
    ScheduleRow, ScheduleSelector, Schedules,
};
pub use tasks::{
    CreateTask, CreateTaskOutcome, DeliverOutcome, EndOutcome, Idempotency, Page, TaskFilter, TaskRow, Tasks,
};
pub use threads::{
    CreateThread, DeleteThread, InThread, NewThread, TaskThread, ThreadRow, ThreadSelector, Threads,
};
pub use usage::{HOUR_MS, UsageBy, UsageSum, Usages};

/// Everything that a store can do.
pub trait Store:
    Identity
    + Agents
    + Tasks
    + Threads
    + Journal
    + Leases
    + Schedules
    + Budgets
    + Usages
    + Maintenance
    + Send
    + Sync
    + 'static
{
}
impl<
    T: Identity
        + Agents
        + Tasks
        + Threads
        + Journal
        + Leases
        + Schedules
        + Budgets
        + Usages
        + Maintenance
        + Send
        + Sync
        + 'static,
> Store for T
{
}
