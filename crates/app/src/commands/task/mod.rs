//! `task list | show | watch | cancel | signal | resolve`

mod act;
mod list;
mod show;
mod watch;

pub use list::{input, status};

use super::Context;
use crate::cli::Task;
use crate::client::server;
use crate::exit::Result;

/// Does what was typed.
pub async fn perform(context: &Context, args: Task) -> Result {
    let client = server(context).await?;
    match args {
        Task::List { status, agent, metadata, paused, limit, cursor } => {
            let filter = list::Filter { status, agent, metadata, paused, limit, cursor };
            list::perform(context, &client, &filter).await
        }
        Task::Show { id, step, request: true, .. } => show::request(context, &client, id, step).await,
        Task::Show { id, step: None, journal: false, .. } => show::task(context, &client, id).await,
        Task::Show { id, step, .. } => show::journal(context, &client, id, step).await,
        Task::Watch { id } => watch::perform(context, client, id).await,
        Task::Cancel { id } => act::cancel(context, &client, id).await,
        Task::Signal(args) => act::signal(context, &client, &args).await,
        Task::Resolve(args) => act::resolve(context, &client, &args).await,
    }
}
