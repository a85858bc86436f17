//! `schedule create`

use agenticai_wire::{ScheduleRequest, ScheduleView};
use serde_json::{Map, Value};

use crate::cli::CreateSchedule;
use crate::client::{Path, server};
use crate::commands::{Context, input};
use crate::exit::{Exit, Result};
use crate::render::print;

const EXAMPLE: &str = "agenticai schedule create news --cron '0 9 * * *' --agent assistant \"Find the news\"";

/// Creates a schedule and says when it fires first.
pub async fn perform(context: &Context, args: CreateSchedule) -> Result {
    // What each task is asked is read before a server is looked for: a mistake there needs none.
    let request = request(args)?;
    let client = server(context).await?;
    let view: ScheduleView = client.post_once(Path::to(&["api", "v1", "schedules"]), &request).await?;
    if context.global.json {
        context.print_json(&view)?;
        return Ok(Exit::Ok);
    }
    print(&match &view.next_fire_at {
        Some(next) => format!("{} fires first at {next}", view.name),
        None => format!("{} is paused: agenticai schedule resume {}", view.name, view.name),
    });
    Ok(Exit::Ok)
}

fn request(args: CreateSchedule) -> Result<ScheduleRequest> {
    let mut metadata = Map::new();
    for pair in &args.metadata {
        let (key, value) = input::metadata(pair)?;
        metadata.insert(key.to_owned(), Value::from(value));
    }
    Ok(ScheduleRequest {
        input: input::read(args.prompt.as_deref(), args.input.as_deref(), EXAMPLE)?,
        name: args.name,
        agent: args.agent,
        agent_version: args.agent_version,
        cron: args.cron,
        timezone: args.timezone,
        overlap: args.overlap,
        catch_up: args.catch_up,
        catch_up_window_seconds: args.catch_up_window,
        priority: args.priority,
        timeout_seconds: args.timeout,
        metadata,
        paused: args.paused.then_some(true),
    })
}
