//! `schedule list`

use agenticai_wire::SchedulePage;
use serde_json::json;

use crate::client::{Client, Path};
use crate::commands::Context;
use crate::exit::{Exit, Result};
use crate::render::{print, table};

/// Lists all schedules, by name.
pub async fn perform(context: &Context, client: &Client) -> Result {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", "200")];
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let segments = ["api", "v1", "schedules"];
        let page: SchedulePage = client.get(Path { segments: &segments, query: &query }).await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
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
