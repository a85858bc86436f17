//! A task in words: its answer, its end, what it waits for and what to type.

use serde_json::Value;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::{TaskStatus, WaitKind, WaitingFor};
use agenticai_wire::TaskView;

use super::format::{clip, cost, duration, tokens};
use super::style::Style;

/// The answer as text: a text as it is, other values as JSON.
pub fn answer_text(task: &TaskView) -> Option<String> {
    match task.output.as_ref()? {
        Value::String(text) => Some(text.clone()),
        other => serde_json::to_string_pretty(other).ok(),
    }
}

/// How a task ended and what it consumed.
pub fn outcome_line(task: &TaskView, style: Style) -> String {
    let took = task
        .completed_at
        .as_deref()
        .zip(Some(task.created_at.as_str()))
        .and_then(|(end, start)| {
            Some((end.parse::<jiff::Timestamp>().ok()?, start.parse::<jiff::Timestamp>().ok()?))
        })
        .map(|(end, start)| u64::try_from(end.as_millisecond() - start.as_millisecond()).unwrap_or(0));
    let state = match task.status {
        TaskStatus::Completed => style.good("completed"),
        TaskStatus::Failed => style.bad("failed"),
        TaskStatus::Cancelled => style.warn("cancelled"),
        other => style.bold(other.as_str()),
    };
    let mut parts = vec![took.map_or(state.clone(), |ms| format!("{state} in {}", duration(ms)))];
    // A tool agent has no model, and so neither tokens nor a price.
    if task.model.is_some() {
        parts.push(tokens(&task.usage));
        parts.push(cost(task.usage.cost_usd));
    }
    parts.push(style.dim(&format!("task {}", task.id)));
    parts.join(" · ")
}

/// What to say when the stand-in has answered.
pub fn practice_hint(task: &TaskView) -> Option<&'static str> {
    (task.provider.as_deref() == Some("practice")).then_some(
        "The built-in practice model answered: it calls tools and cannot think. For a real model set OPENAI_API_KEY, \
         ANTHROPIC_API_KEY, or AGENTICAI_MODEL_URL (an OpenAI-compatible server, with its /v1).",
    )
}

/// What a task waits for, in one line.
pub fn wait_line(wait: &WaitingFor) -> String {
    let arguments = clip(&wait.arguments, 100);
    let note = wait.note.as_deref().map(|note| clip(&Value::from(note), 300));
    match wait.kind {
        WaitKind::Approval => format!("{} {} {arguments} waits for your approval", wait.step, wait.tool),
        WaitKind::Input => format!("{} asks: {}", wait.step, note.unwrap_or(arguments)),
        WaitKind::Uncertain => format!(
            "{} {} {arguments} was sent, and its outcome is unknown{}",
            wait.step,
            wait.tool,
            note.map_or(String::new(), |note| format!(" ({note})"))
        ),
        WaitKind::Timer => format!("{} sleeps", wait.step),
        WaitKind::Signal => format!("{} waits for the event {}", wait.step, event_name(wait)),
        WaitKind::Child => {
            format!(
                "{} waits for task {}",
                wait.step,
                wait.child.map_or_else(|| "?".to_owned(), |id| id.to_string())
            )
        }
    }
}

/// What can be typed to answer a wait; empty where nobody has to.
pub fn how_to_answer(task: TaskId, wait: &WaitingFor) -> Vec<String> {
    let (step, program) = (wait.step, super::program());
    match wait.kind {
        WaitKind::Approval => vec![
            format!("{program} task signal {task} --step {step} --approve"),
            format!("{program} task signal {task} --step {step} --reject \"REASON\""),
        ],
        WaitKind::Input => vec![format!("{program} task signal {task} --step {step} --value \"ANSWER\"")],
        WaitKind::Uncertain => vec![
            format!("{program} task resolve {task} --step {step} --done \"RESULT\"   (it happened)"),
            format!(
                "{program} task resolve {task} --step {step} --not-done        (it did not: send it again)"
            ),
            format!("{program} task resolve {task} --step {step} --cancel"),
        ],
        WaitKind::Signal => vec![format!("{program} task signal {task} --event {}", event_name(wait))],
        WaitKind::Timer | WaitKind::Child => Vec::new(),
    }
}

fn event_name(wait: &WaitingFor) -> String {
    wait.arguments.get("name").map_or_else(|| "NAME".to_owned(), |name| clip(name, 100))
}
