//! A cluster of processes on one database: the roles `api`, `worker` and `scheduler`, any number of each.
//!
//! A role begins like this: it binds its ports, so that a mistake there is heard of at once; serves its operators, who
//! see that it lives and is not ready; waits for the database ([`database`]); puts its parts together; is ready. It ends
//! the other way round ([`role`]): not ready, a pause in which nobody sends more, then what is under way.

mod apart;
mod api;
mod broker;
pub mod database;
mod role;
mod scheduler;
mod store_metrics;
mod stuck;
mod worker;

pub use role::Role;

use agenticai_store::Isolation;

use crate::commands::Context;
use crate::config::LogFormat;
use crate::exit::Result;

/// Runs a role until somebody says stop.
pub async fn run(context: &Context, role: Role) -> Result {
    let ended = match role {
        Role::Api => api::run(context).await,
        Role::Worker => worker::run(context, None).await,
        Role::Scheduler => scheduler::run(context).await,
    };
    logged(context, ended)
}

/// Runs a worker that takes only tasks that crash workers, until there are none.
pub async fn suspects(context: &Context, name: String, isolation: Isolation) -> Result {
    logged(context, worker::run(context, Some((name, isolation))).await)
}

/// The last word of a process whose log is read by machines is a line of the log.
fn logged(context: &Context, ended: Result) -> Result {
    match ended {
        Err(failure) if context.loaded.settings.log.format == LogFormat::Json => {
            tracing::error!(exit_code = failure.exit as u8, "{failure}");
            Ok(failure.exit)
        }
        ended => ended,
    }
}
