//! `task watch`

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::json;

use agenticai_domain::ids::TaskId;
use agenticai_wire::{TaskView, event};

use crate::client::{Client, Event, Path};
use crate::commands::Context;
use crate::commands::finish::finish;
use crate::commands::follow::{Follow, People};
use crate::exit::Result;
use crate::render::{Screen, Story, print};

/// Somebody who watches wants to see the end, also across a restart of the server.
const PATIENCE: Duration = Duration::from_secs(600);

/// Follows a task until it ends. With `--json`: one line per event, the last one the task.
pub async fn perform(context: &Context, client: Client, task: TaskId) -> Result {
    let view: TaskView = client.get(Path::to(&["api", "v1", "tasks", &task.to_string()])).await?;
    let json = context.global.json;
    let talks = !json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let mut screen = if json {
        Screen::silent()
    } else {
        Screen::new(std::io::stdout().is_terminal(), std::io::stderr().is_terminal())
    };
    let people = if talks { People::Ask } else { People::Hint };
    let follow = Follow { client: client.clone(), task, people, patience: PATIENCE };
    let story = Story::new(context.err, view.model);
    let each = |event: &Event| {
        if json && let Some(line) = line(event) {
            print(&line.to_string());
        }
    };
    let followed = follow.to_the_end(story, &mut screen, each).await?;
    finish(context, &mut screen, task, followed, !json, None)
}

/// An event as one line of JSON.
fn line(event: &Event) -> Option<serde_json::Value> {
    let (name, data) = match event {
        Event::Entry(data) => (event::ENTRY, serde_json::to_value(data)),
        Event::Token(data) => (event::TOKEN, serde_json::to_value(data)),
        Event::Started(data) => (event::STARTED, serde_json::to_value(data)),
        Event::Status(data) => (event::STATUS, serde_json::to_value(data)),
        Event::End(data) => (event::END, serde_json::to_value(data)),
        Event::Lost | Event::Back => return None,
    };
    Some(json!({ "event": name, "data": data.ok()? }))
}
