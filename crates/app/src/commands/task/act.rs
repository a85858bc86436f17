//! `task cancel | signal | resolve`

use reqwest::Method;
use serde_json::{Value, json};

use agenticai_domain::ids::TaskId;
use agenticai_wire::{ResolveRequest, SignalRequest, TaskView};

use crate::cli::{Resolve, Signal};
use crate::client::{Client, Path};
use crate::commands::Context;
use crate::commands::dialogue::{Decision, json_or_text, signal_for};
use crate::commands::follow::send;
use crate::exit::{Exit, Failure, Result};
use crate::render::note;

/// Cancels a task.
pub async fn cancel(context: &Context, client: &Client, id: TaskId) -> Result {
    let text = id.to_string();
    client.tell(Method::POST, Path::to(&["api", "v1", "tasks", &text, "cancel"]), Some(&json!({}))).await?;
    said(context, client, id).await
}

/// Sends a signal.
pub async fn signal(context: &Context, client: &Client, args: &Signal) -> Result {
    send(client, args.id, &Decision::Signal(request(args)?)).await?;
    said(context, client, args.id).await
}

/// Resolves a call whose outcome is unknown.
pub async fn resolve(context: &Context, client: &Client, args: &Resolve) -> Result {
    let (decision, result) = match (&args.done, args.not_done) {
        (Some(result), _) => ("done", Some(json_or_text(result))),
        (None, true) => ("not_done", None),
        (None, false) => ("cancel", None),
    };
    let resolve = ResolveRequest { step: args.step, decision: decision.into(), result, attempt: None };
    send(client, args.id, &Decision::Resolve(resolve)).await?;
    said(context, client, args.id).await
}

fn request(args: &Signal) -> Result<SignalRequest> {
    let mut signal = signal_for(args.step);
    if args.approve {
        signal.decision = Some("approve".into());
    } else if let Some(arguments) = &args.edit {
        signal.decision = Some("edit".into());
        signal.arguments = Some(json_of("--edit", arguments)?);
    } else if let Some(reason) = &args.reject {
        signal.decision = Some("reject".into());
        signal.reason = (!reason.is_empty()).then(|| reason.clone());
    } else if let Some(value) = &args.value {
        signal.value = Some(json_or_text(value));
    } else if let Some(name) = &args.event {
        signal.name = Some(name.clone());
        signal.payload = args.payload.as_deref().map(|payload| json_of("--payload", payload)).transpose()?;
    }
    Ok(signal)
}

fn json_of(flag: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Failure::usage(format!("{flag} is no JSON: {error}")))
}

/// What the task says now.
async fn said(context: &Context, client: &Client, id: TaskId) -> Result {
    let view: TaskView = client.get(Path::to(&["api", "v1", "tasks", &id.to_string()])).await?;
    if context.global.json {
        context.print_json(&view)?;
    } else {
        note(&format!("task {id} is {}", view.status.as_str()));
    }
    Ok(Exit::Ok)
}
