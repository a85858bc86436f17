//! `schedule create | list | show | pause | resume | trigger | delete | next`

mod act;
mod create;
mod list;
mod show;

use super::Context;
use crate::cli::Schedule;
use crate::client::server;
use crate::exit::Result;

/// Does what was typed.
pub async fn perform(context: &Context, args: Schedule) -> Result {
    if let Schedule::Create(args) = args {
        return create::perform(context, args).await;
    }
    let client = server(context).await?;
    match args {
        Schedule::Create(_) | Schedule::List => list::perform(context, &client).await,
        Schedule::Show { schedule, firings } => show::schedule(context, &client, &schedule, firings).await,
        Schedule::Pause { schedule } => act::switch(context, &client, &schedule, "pause").await,
        Schedule::Resume { schedule } => act::switch(context, &client, &schedule, "resume").await,
        Schedule::Trigger { schedule } => act::trigger(context, &client, &schedule).await,
        Schedule::Delete { schedule } => act::delete(context, &client, &schedule).await,
        Schedule::Next { schedule, n } => show::next(context, &client, &schedule, n).await,
    }
}
