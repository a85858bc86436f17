//! `thread create | list | show | delete`

use agenticai_wire::{TaskPage, ThreadRequest, ThreadView};
use reqwest::Method;
use serde_json::json;

use super::Context;
use super::task::{input, status};
use crate::cli::Thread;
use crate::client::{Client, Path, server};
use crate::exit::{Exit, Result};
use crate::render::{clip, note, print, table};

/// Does what was typed.
pub async fn perform(context: &Context, args: Thread) -> Result {
    let client = server(context).await?;
    match args {
        Thread::Create { name } => create(context, &client, name).await,
        Thread::List => list(context, &client).await,
        Thread::Show { thread, tasks } => show(context, &client, &thread, tasks).await,
        Thread::Delete { thread } => delete(context, &client, &thread).await,
    }
}

async fn create(context: &Context, client: &Client, name: Option<String>) -> Result {
    let request = ThreadRequest { name };
    let view: ThreadView = client.post_once(Path::to(&["api", "v1", "threads"]), &request).await?;
    if context.global.json {
        context.print_json(&view)?;
    } else {
        print(&view.id.to_string());
    }
    Ok(Exit::Ok)
}

async fn list(context: &Context, client: &Client) -> Result {
    let items: Vec<ThreadView> = client.all(&["api", "v1", "threads"]).await?;
    if context.global.json {
        context.print_json(&json!({ "items": items }))?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = items
        .into_iter()
        .map(|view| {
            vec![
                view.id.to_string(),
                view.name.unwrap_or_default(),
                view.active.map_or_else(String::new, |task| task.to_string()),
                view.queue.len().to_string(),
                view.created_at.chars().take(19).collect(),
            ]
        })
        .collect();
    for line in table::lines(&["ID", "NAME", "ACTIVE TASK", "QUEUED", "CREATED"], &rows) {
        print(&line);
    }
    Ok(Exit::Ok)
}

async fn show(context: &Context, client: &Client, which: &str, tasks: u32) -> Result {
    let view: ThreadView = client.get(Path::to(&["api", "v1", "threads", which])).await?;
    let segments = ["api", "v1", "threads", which, "tasks"];
    let limit = tasks.to_string();
    let tasks: TaskPage =
        client.get(Path { segments: &segments, query: &[("limit", limit.as_str())] }).await?;
    if context.global.json {
        context.print_json(&json!({ "thread": view, "tasks": tasks.items }))?;
        return Ok(Exit::Ok);
    }
    let name = view.name.unwrap_or_else(|| view.id.to_string());
    print(&format!("{} · {} queued", context.out.bold(&name), view.queue.len()));
    let rows: Vec<Vec<String>> = tasks
        .items
        .iter()
        .map(|task| {
            vec![task.id.to_string(), status(task), task.agent.clone(), clip(&input(&task.input), 50)]
        })
        .collect();
    for line in table::lines(&["TASK", "STATUS", "AGENT", "INPUT"], &rows) {
        print(&line);
    }
    Ok(Exit::Ok)
}

async fn delete(context: &Context, client: &Client, which: &str) -> Result {
    client.tell(Method::DELETE, Path::to(&["api", "v1", "threads", which]), None::<&()>).await?;
    if context.global.json {
        context.print_json(&json!({ "deleted": which }))?;
    } else {
        note(&format!("{which} is deleted; its tasks stay"));
    }
    Ok(Exit::Ok)
}
