//! `admin stuck`: tasks that do not move although they should.

use std::time::Duration;

use serde_json::json;

use super::connect;
use crate::commands::Context;
use crate::exit::{Exit, Failure, Result};
use crate::render::{print, table};

/// Tasks that are listed of each kind.
const MOST: u32 = 1_000;

/// Lists tasks that have not moved for `after`, or for as long as the scheduler gives them.
pub async fn list(context: &Context, after: Option<u64>) -> Result {
    let bound = after.map_or(context.loaded.settings.scheduler.stuck_after, Duration::from_secs);
    let store = connect(context).await?;
    let stuck = store.stuck(bound, MOST).await.map_err(|error| Failure::failed(error.to_string()))?;
    store.close();
    if context.global.json {
        let items: Vec<_> = stuck
            .iter()
            .map(|stuck| {
                json!({
                    "task": stuck.task,
                    "tenant": stuck.tenant,
                    "reason": stuck.reason.as_str(),
                    "seconds": stuck.since.as_secs(),
                })
            })
            .collect();
        context.print_json(&json!({ "items": items }))?;
        return Ok(Exit::Ok);
    }
    let row = |stuck: &agenticai_store::postgres::Stuck| {
        let (task, tenant) = (stuck.task.to_string(), stuck.tenant.to_string());
        vec![task, tenant, stuck.reason.as_str().to_owned(), stuck.since.as_secs().to_string()]
    };
    let rows: Vec<Vec<String>> = stuck.iter().map(row).collect();
    for line in table::lines(&["TASK", "TENANT", "REASON", "SECONDS"], &rows) {
        print(&line);
    }
    Ok(Exit::Ok)
}
