//! `task list`

use agenticai_domain::task::{Content, TaskInput};
use agenticai_wire::{TaskPage, TaskView};
use serde_json::Value;

use crate::client::{Client, Path};
use crate::commands::Context;
use crate::commands::input::metadata;
use crate::exit::{Exit, Result};
use crate::render::{clip, cost, print, table};

/// Which tasks.
pub struct Filter {
    /// Statuses with commas between them.
    pub status: Option<String>,
    /// Agent by name or id.
    pub agent: Option<String>,
    /// `KEY=VALUE` pairs.
    pub metadata: Vec<String>,
    /// Only paused ones.
    pub paused: bool,
    /// How many at most.
    pub limit: u32,
    /// From an earlier page.
    pub cursor: Option<String>,
}

/// Lists tasks, newest first.
pub async fn perform(context: &Context, client: &Client, filter: &Filter) -> Result {
    let mut query: Vec<(String, String)> = vec![("limit".into(), filter.limit.to_string())];
    for (key, value) in [("status", &filter.status), ("agent", &filter.agent), ("cursor", &filter.cursor)] {
        query.extend(value.iter().map(|value| (key.to_owned(), value.clone())));
    }
    if filter.paused {
        query.push(("paused".to_owned(), "true".to_owned()));
    }
    for pair in &filter.metadata {
        let (key, value) = metadata(pair)?;
        query.push((format!("metadata.{key}"), value.to_owned()));
    }
    let pairs: Vec<(&str, &str)> = query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let page: TaskPage = client.get(Path { segments: &["api", "v1", "tasks"], query: &pairs }).await?;
    if context.global.json {
        context.print_json(&page)?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = page
        .items
        .iter()
        .map(|task| {
            vec![
                task.id.to_string(),
                status(task),
                task.agent.clone(),
                task.created_at.chars().take(19).collect(),
                if task.model.is_some() { cost(task.usage.cost_usd) } else { String::new() },
                clip(&input(&task.input), 50),
            ]
        })
        .collect();
    for line in table::lines(&["ID", "STATUS", "AGENT", "CREATED", "COST", "INPUT"], &rows) {
        print(&line);
    }
    if let Some(cursor) = page.next_cursor {
        print(&context.out.dim(&format!("more: --cursor {cursor}")));
    }
    Ok(Exit::Ok)
}

/// The status: whether it is paused, what a waiting task waits for, or the place of one that waits for its turn.
pub fn status(task: &TaskView) -> String {
    let kinds = task.waiting_for.iter().filter_map(|wait| serde_json::to_value(wait.kind).ok());
    let kinds: Vec<String> = kinds.filter_map(|kind| kind.as_str().map(str::to_owned)).collect();
    let place = task.thread.as_ref().and_then(|thread| thread.queue_place);
    if task.paused_at.is_some() {
        format!("{} (paused)", task.status.as_str())
    } else if let Some(place) = place {
        format!("{} (place {place} in its thread)", task.status.as_str())
    } else if kinds.is_empty() {
        task.status.as_str().to_owned()
    } else {
        format!("{} ({})", task.status.as_str(), kinds.join(", "))
    }
}

/// The input as one value to be clipped: of a conversation, its last message.
pub fn input(input: &TaskInput) -> Value {
    match input {
        TaskInput::Text(text) => Value::from(text.as_str()),
        TaskInput::Arguments(arguments) => Value::from(arguments.clone()),
        TaskInput::Messages(messages) => match messages.last().map(|message| &message.content) {
            Some(Content::Text(text)) => Value::from(text.as_str()),
            Some(parts) => serde_json::to_value(parts).unwrap_or_default(),
            None => Value::from(""),
        },
    }
}
