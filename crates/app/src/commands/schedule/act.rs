//! `schedule pause | resume | trigger | delete`

use agenticai_domain::schedule::FiringState;
use agenticai_wire::{FiringView, ScheduleView};
use reqwest::Method;
use serde_json::json;

use crate::client::{Client, Path};
use crate::commands::Context;
use crate::exit::{Exit, Result};
use crate::render::{note, print};

/// Pauses or resumes.
pub async fn switch(context: &Context, client: &Client, which: &str, how: &str) -> Result {
    let path = ["api", "v1", "schedules", which, how];
    let view: ScheduleView = client.post_once(Path::to(&path), &json!({})).await?;
    if context.global.json {
        context.print_json(&view)?;
        return Ok(Exit::Ok);
    }
    note(&match (view.paused, &view.next_fire_at) {
        (true, _) => format!("{} is paused; its tasks go on", view.name),
        (false, Some(next)) => format!("{} fires next at {next}", view.name),
        (false, None) => format!("{} has no time any more at which it fires", view.name),
    });
    Ok(Exit::Ok)
}

/// Fires now; prints the task.
pub async fn trigger(context: &Context, client: &Client, which: &str) -> Result {
    let path = ["api", "v1", "schedules", which, "trigger"];
    let firing: FiringView = client.post_once(Path::to(&path), &json!({})).await?;
    // A firing without a task is what the schedule's own rule asks for; only one that failed is a failure.
    let exit = if firing.state == FiringState::Failed { Exit::Failed } else { Exit::Ok };
    if context.global.json {
        context.print_json(&firing)?;
        return Ok(exit);
    }
    match (&firing.task, &firing.why) {
        (Some(task), _) => print(&task.to_string()),
        (None, Some(why)) => note(&format!("{}: {why}", firing.state.as_str())),
        (None, None) => note(&format!("{}: it starts once the task before has ended", firing.state.as_str())),
    }
    Ok(exit)
}

/// Removes it.
pub async fn delete(context: &Context, client: &Client, which: &str) -> Result {
    client.tell(Method::DELETE, Path::to(&["api", "v1", "schedules", which]), None::<&()>).await?;
    if context.global.json {
        context.print_json(&json!({ "deleted": which }))?;
    } else {
        note(&format!("{which} is deleted; its tasks go on"));
    }
    Ok(Exit::Ok)
}
