//! The end of a run: everything comes to rest, and is read.

use std::time::{Duration, Instant};

use agenticai_wire::TaskView;

use super::agents;
use crate::api::Api;
use crate::checker::TaskRecord;

/// How long the tasks may take to end after the last fault.
const REST_WITHIN: Duration = Duration::from_secs(120);

/// Waits until no task is left that could go on.
pub async fn come_to_rest(api: &Api) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let open = api.count("status=pending,running,waiting").await?;
        if open == 0 {
            return Ok(());
        }
        if began.elapsed() > REST_WITHIN {
            for task in api.tasks("status=pending,running,waiting").await?.iter().take(10) {
                println!(
                    "  STUCK {} of {} is {:?}: {:?}",
                    task.id, task.agent, task.status, task.waiting_for
                );
            }
            anyhow::bail!("{open} tasks have not ended {REST_WITHIN:?} after the last fault");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Tasks with their journals.
pub async fn with_journals(api: &Api, tasks: &[TaskView]) -> anyhow::Result<Vec<TaskRecord>> {
    let mut records = Vec::new();
    for task in tasks {
        let journal = api.journal(task.id).await?;
        records.push(TaskRecord {
            id: task.id,
            parent: task.parent,
            thread: task.thread.as_ref().map(|thread| thread.id),
            status: task.status,
            kind: agents::kind(&task.agent),
            journal,
        });
    }
    Ok(records)
}
