//! The engine: what a journal means, and what is to be done next.
//!
//! A worker's loop around it is short:
//!
//! 1. [`State::replay`] folds the journal of a task that was claimed.
//! 2. [`plan`] takes the outcomes of effects that ended, and says which entries follow from them and from what has
//!    reached the inbox ([`Run`]), and which effects are wanted once those entries are committed.
//! 3. The worker appends the run. Accepted: it [confirms](State::confirm) the time and performs what is wanted and
//!    not yet in flight. Refused: it drops the state, reads the journal and plans anew; nothing was used.
//!
//! Everything here is a function of its arguments. A journal that no engine could have written is a
//! [`ReplayError`], never a panic.

mod agent;
mod apply;
mod begin;
mod context;
mod conversation;
pub(crate) mod fault;
mod next;
mod plan;
mod record;
mod state;
mod waits;

pub use agent::Agent;
pub use apply::ReplayError;
pub use begin::{ASK_HUMAN, RUN_AGENT, SLEEP, WAIT_SIGNAL};
pub use context::Context;
pub use next::Effect;
pub use plan::{After, Plan, Run, plan};
pub use state::{CallState, CallStatus, State, TurnState, Wait};

/// How deep agents may call agents.
pub const MAX_DEPTH: u32 = 8;
