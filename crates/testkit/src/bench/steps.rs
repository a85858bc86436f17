//! What the platform adds to a step, where nothing else is going on.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::throughput::{REACT, react_agent};
use super::{BenchConfig, Measure};
use crate::api::Api;
use crate::checker::read_log;
use crate::stub::{Stub, StubConfig};
use crate::up::Up;
use agenticai_domain::spec::Effect;
use agenticai_domain::task::TaskInput;
use agenticai_wire::CreateTaskRequest;

/// Tool calls of each task; with the model calls between them 41 steps.
const CALLS: u64 = 20;
/// Tasks of one run, one after the other.
const TASKS: usize = 10;

/// See [`added_ms`], of `agenticai up`.
pub async fn measure(config: &BenchConfig, latency_ms: u64) -> anyhow::Result<Vec<Measure>> {
    let mut added = Vec::new();
    for run in 0..config.runs {
        let dir = config.dir.join(format!("steps-{latency_ms}-{run}"));
        std::fs::create_dir_all(&dir)?;
        let log = dir.join("stub.log");
        let stub = stub(latency_ms, &log)?;
        let mut up = Up::new(&dir, &[("AGENTICAI_MODEL_URL", format!("{}/v1", stub.url()))])?;
        up.start().await?;
        let api = up.api()?;
        api.put_agent(&react_agent(&stub.url(), Effect::Idempotent)).await?;
        added.push(added_ms(&api, &stub, &log).await?);
        up.terminate(Duration::from_secs(10)).await?;
        drop(stub);
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(vec![Measure::new(format!("added per step at {latency_ms} ms latency, ms"), added)])
}

/// The stub that [`added_ms`] needs.
pub fn stub(latency_ms: u64, log: &Path) -> anyhow::Result<Stub> {
    Stub::start(&StubConfig {
        latency_ms,
        tool_latency_ms: latency_ms,
        steps: CALLS,
        log: Some(log.to_owned()),
        ..StubConfig::default()
    })
}

/// Milliseconds from a task's creation to its end minus those in which a call was with the stub, per step. `log` is the
/// stub's; what it holds of other tasks does not count.
pub async fn added_ms(api: &Api, stub: &Stub, log: &Path) -> anyhow::Result<f64> {
    let mut total_us = HashMap::new();
    for _ in 0..TASKS {
        let request = CreateTaskRequest {
            agent: REACT.to_owned(),
            agent_version: None,
            input: TaskInput::Text("Go.".to_owned()),
            priority: None,
            timeout_seconds: None,
            metadata: serde_json::Map::new(),
            thread: None,
            if_active: None,
            budget: None,
        };
        let id = api.create_task(&request, &uuid::Uuid::now_v7().to_string()).await?.id;
        let task = api.wait_end(id, Duration::from_secs(60)).await?;
        anyhow::ensure!(task.error.is_none(), "a task failed: {:?}", task.error);
        let created: jiff::Timestamp = task.created_at.parse()?;
        let completed: jiff::Timestamp = task.completed_at.context("no time of its end")?.parse()?;
        total_us.insert(id.to_string(), completed.as_microsecond() - created.as_microsecond());
    }
    stub.sync_log()?;
    let mut steps = 0;
    for call in read_log(log)? {
        let task = call.task.as_ref().context("an untagged call")?;
        if let Some(total) = total_us.get_mut(task) {
            *total -= call.end_us.context("a call was cut off")? as i64 - call.begin_us as i64;
            steps += 1;
        }
    }
    anyhow::ensure!(steps == TASKS * (2 * CALLS as usize + 1), "{steps} calls were made");
    Ok(total_us.values().sum::<i64>() as f64 / steps as f64 / 1e3)
}
