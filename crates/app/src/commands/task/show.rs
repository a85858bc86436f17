//! `task show`

use sha2::{Digest, Sha256};

use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::Entry;
use agenticai_wire::{JournalEntryView, JournalPage, TaskView};

use super::list::input;
use crate::client::{Client, Event, Path};
use crate::commands::Context;
use crate::exit::{Exit, Failure, Result};
use crate::render::{
    Show, Story, answer_text, clip, how_to_answer, note, outcome_line, practice_hint, print, wait_line,
};

/// The task: what was asked, its steps, what it waits for, how it ended.
pub async fn task(context: &Context, client: &Client, id: TaskId) -> Result {
    let view: TaskView = client.get(Path::to(&["api", "v1", "tasks", &id.to_string()])).await?;
    if context.global.json {
        context.print_json(&view)?;
        return Ok(Exit::Ok);
    }
    let style = context.out;
    print(&format!(
        "{} version {} · {}",
        style.bold(&view.agent),
        view.agent_version,
        clip(&input(&view.input), 200)
    ));
    print(&style.dim(&format!("created {}{}", view.created_at, at(" · started ", &view.started_at))));
    // The same words as while it ran.
    let mut story = Story::new(style, view.model.clone());
    for entry in read_journal(client, id).await? {
        for show in story.tell(&Event::Entry(entry)) {
            if let Show::Line(line) = show {
                print(&line);
            }
        }
    }
    if let Some(since) = &view.paused_at {
        print(&style.warn(&format!(
            "paused since {since}: the database was restored to an earlier point; an operator lets it go on \
             (`agenticai admin release --task {id}`)"
        )));
    }
    for wait in &view.waiting_for {
        print(&style.warn(&wait_line(wait)));
        for late in view.late_results.iter().filter(|late| late.step == wait.step) {
            print(&format!(
                "     an answer came too late to be journaled: {}",
                clip(&late.result.as_str().into(), 300)
            ));
        }
        for line in how_to_answer(id, wait) {
            print(&format!("     {line}"));
        }
    }
    if let Some(error) = &view.error {
        print(&style.bad(&format!("{}: {}", error.code, error.message)));
    }
    if let Some(answer) = answer_text(&view) {
        print(&format!("\n{answer}\n"));
    }
    print(&outcome_line(&view, style));
    if let Some(hint) = practice_hint(&view) {
        print(&style.dim(hint));
    }
    Ok(Exit::Ok)
}

/// The journal, or one step's part of it, one entry per line.
pub async fn journal(context: &Context, client: &Client, id: TaskId, step: Option<StepId>) -> Result {
    let mut entries = read_journal(client, id).await?;
    if let Some(step) = step {
        entries.retain(|view| concerns(view, step));
        if entries.is_empty() {
            return Err(Failure::failed(format!("the journal says nothing about step {step}")));
        }
    }
    if context.global.json {
        context.print_json(&serde_json::json!({ "items": entries }))?;
        return Ok(Exit::Ok);
    }
    for view in entries {
        print(&format!("{:>4} {} epoch {} {}", view.seq, context.out.dim(&view.at), view.epoch, view.entry));
    }
    Ok(Exit::Ok)
}

/// The exact request of a model call on standard output, after its hash was checked.
pub async fn request(context: &Context, client: &Client, id: TaskId, step: Option<StepId>) -> Result {
    let turn = match step {
        Some(StepId { turn, call: None }) => turn,
        Some(step) => {
            return Err(Failure::usage(format!(
                "step {step} is a tool call: requests are kept of model calls, so write --step {}",
                step.turn
            )));
        }
        None => return Err(Failure::usage("--request needs --step TURN")),
    };
    let (id, turn) = (id.to_string(), turn.to_string());
    let segments = ["api", "v1", "tasks", &id, "steps", &turn, "request"];
    let (body, journaled) = client.get_bytes(Path::to(&segments), "x-agenticai-sha256").await?;
    let digest = hex::encode(Sha256::digest(&body));
    if journaled.as_deref().is_some_and(|journaled| journaled != digest) {
        return Err(Failure::failed(format!(
            "the request was rebuilt with SHA-256 {digest}, but the journal says {}",
            journaled.unwrap_or_default()
        )));
    }
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&body).and_then(|()| out.flush());
    drop(out);
    if !context.global.json {
        note(&context.err.dim(&format!("\nSHA-256 {digest}, as journaled")));
    }
    Ok(Exit::Ok)
}

async fn read_journal(client: &Client, id: TaskId) -> Result<Vec<JournalEntryView>> {
    let id = id.to_string();
    let segments = ["api", "v1", "tasks", &id, "journal"];
    let mut entries = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", "1000")];
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let page: JournalPage = client.get(Path { segments: &segments, query: &query }).await?;
        entries.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(entries);
        }
    }
}

/// Whether an entry is about a step; a turn includes its calls.
fn concerns(view: &JournalEntryView, step: StepId) -> bool {
    let about = match serde_json::from_value(view.entry.clone()) {
        Ok(Entry::Turn(turn)) => StepId::model(turn.turn),
        Ok(Entry::TurnCut(entry)) => StepId::model(entry.turn),
        Ok(Entry::CallStarted(entry)) => entry.step,
        Ok(Entry::CallEnded(entry)) => entry.step,
        Ok(Entry::CallUncertain(entry)) => entry.step,
        Ok(Entry::Received(entry)) => entry.step,
        Ok(Entry::TimerFired(entry)) => entry.step,
        Ok(Entry::Ended(_)) | Err(_) => return false,
    };
    about == step || step.call.is_none() && about.turn == step.turn
}

fn at(label: &str, time: &Option<String>) -> String {
    time.as_ref().map_or(String::new(), |time| format!("{label}{time}"))
}
