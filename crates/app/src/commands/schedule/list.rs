//! `schedule list`

use agenticai_wire::ScheduleView;
use serde_json::json;

use crate::client::Client;
use crate::commands::Context;
use crate::exit::{Exit, Result};
use crate::render::{print, table};

/// Lists all schedules, by name.
pub async fn perform(context: &Context, client: &Client) -> Result {
    let items: Vec<ScheduleView> = client.all(&["api", "v1", "schedules"]).await?;
    if context.global.json {
        context.print_json(&json!({ "items": items }))?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = items
        .into_iter()
        .map(|view| {
            let next = match (view.paused, view.next_fire_at) {
                (true, _) => "paused".to_owned(),
                (false, Some(next)) => next.chars().take(19).collect(),
                (false, None) => "never".to_owned(),
            };
            vec![view.name, view.agent, view.cron, view.timezone, view.overlap.as_str().to_owned(), next]
        })
        .collect();
    for line in table::lines(&["NAME", "AGENT", "CRON", "ZONE", "OVERLAP", "NEXT (UTC)"], &rows) {
        print(&line);
    }
    Ok(Exit::Ok)
}
