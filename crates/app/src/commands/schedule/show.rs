//! `schedule show` and `schedule next`

use agenticai_wire::{FiringPage, OccurrencesView, ScheduleView};
use serde_json::json;

use crate::client::{Client, Path};
use crate::commands::Context;
use crate::commands::task::input;
use crate::exit::{Exit, Result};
use crate::render::{clip, print, table};

/// The schedule, its next times, and what came of its newest firings.
pub async fn schedule(context: &Context, client: &Client, which: &str, firings: u32) -> Result {
    let view: ScheduleView = client.get(Path::to(&["api", "v1", "schedules", which])).await?;
    let segments = ["api", "v1", "schedules", which, "firings"];
    let limit = firings.to_string();
    let firings: FiringPage =
        client.get(Path { segments: &segments, query: &[("limit", limit.as_str())] }).await?;
    let next = occurrences(client, which, 3).await?;
    if context.global.json {
        context.print_json(&json!({ "schedule": view, "firings": firings.items, "next": next.items }))?;
        return Ok(Exit::Ok);
    }
    let style = context.out;
    let version = view.agent_version.map_or_else(String::new, |version| format!(" version {version}"));
    print(&format!(
        "{} · {}{version} · {}",
        style.bold(&view.name),
        view.agent,
        clip(&input(&view.input), 200)
    ));
    print(&format!("{} in {}", view.cron, view.timezone));
    print(&style.dim(&format!(
        "overlap {} · catch-up {} within {} s · priority {}",
        view.overlap.as_str(),
        view.catch_up.as_str(),
        view.catch_up_window_seconds,
        view.priority
    )));
    if view.paused {
        print(&style.warn("paused; if it were not, it would fire at"));
    }
    for occurrence in &next.items {
        print(&format!("next {}", occurrence.local));
    }
    let rows: Vec<Vec<String>> = firings
        .items
        .into_iter()
        .map(|firing| {
            let task = firing.task.map_or_else(|| firing.why.unwrap_or_default(), |task| task.to_string());
            let by = if firing.triggered { "trigger" } else { "clock" };
            vec![firing.due_at, by.to_owned(), firing.state.as_str().to_owned(), task]
        })
        .collect();
    if !rows.is_empty() {
        print("");
        for line in table::lines(&["DUE", "BY", "STATE", "TASK"], &rows) {
            print(&line);
        }
    }
    Ok(Exit::Ok)
}

/// The next times, as a clock in the schedule's zone shows them.
pub async fn next(context: &Context, client: &Client, which: &str, count: u32) -> Result {
    let view = occurrences(client, which, count).await?;
    if context.global.json {
        context.print_json(&view)?;
        return Ok(Exit::Ok);
    }
    for occurrence in &view.items {
        print(&occurrence.local);
    }
    Ok(Exit::Ok)
}

async fn occurrences(client: &Client, which: &str, count: u32) -> Result<OccurrencesView> {
    let segments = ["api", "v1", "schedules", which, "occurrences"];
    client.get(Path { segments: &segments, query: &[("n", &count.to_string())] }).await
}
