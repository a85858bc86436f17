//! Many tasks at once: W1 (durable jobs) and W2 (agents).

use std::path::Path;
use std::time::Duration;

use agenticai_domain::spec::Effect;
use anyhow::Context as _;
use serde_json::{Value, json};

use super::{BenchConfig, Measure};
use crate::load::{CountQuery, Counted, Load, Loaded, run};
use crate::stub::{Stub, StubConfig};
use crate::up::Up;

/// The agent of W2.
pub const REACT: &str = "bench-agent";
/// The agent of W1.
pub const JOB: &str = "bench-job";
/// Steps of a task of W2: 5 model calls and 4 tool calls.
pub const W2_STEPS: f64 = 9.0;
/// How many submit at the same time.
pub const SUBMITTERS: u64 = 64;

/// An agent of one step that costs next to nothing, without a model: it tells the time.
pub fn job_agent() -> Value {
    json!({"name": JOB, "kind": "tool", "tools": ["now"]})
}

/// The body of a task of [`job_agent`].
pub fn job_body() -> String {
    json!({"agent": JOB, "input": {}}).to_string()
}

/// The body of a task of [`react_agent`].
pub fn react_body() -> String {
    json!({"agent": REACT, "input": "Run {tag}."}).to_string()
}

/// An agent that calls `lookup`, which has this `effect`, as long as the stub asks for it.
pub fn react_agent(url: &str, effect: Effect) -> Value {
    let lookup = json!({
        "name": "lookup", "effect": effect, "description": "Looks something up.",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
        "http": {"method": "GET", "url": format!("{url}/tool/lookup")},
    });
    json!({"name": REACT, "model": "stub", "instructions": "Look things up.", "tools": [lookup]})
}

/// W1: one small step each.
pub async fn jobs(config: &BenchConfig, size: u64) -> anyhow::Result<Vec<Measure>> {
    let loads = repeat(config, "w1", size, &job_body(), &|_| job_agent()).await?;
    Ok(measures(&format!("W1, {size} tasks"), &loads, None))
}

/// W2: five model calls and four tool calls each.
pub async fn agents(config: &BenchConfig, size: u64) -> anyhow::Result<Vec<Measure>> {
    let agent = |url: &str| react_agent(url, Effect::Idempotent);
    let loads = repeat(config, "w2", size, &react_body(), &agent).await?;
    Ok(measures(&format!("W2, {size} tasks"), &loads, Some(W2_STEPS)))
}

fn measures(what: &str, loads: &[(Loaded, f64)], steps: Option<f64>) -> Vec<Measure> {
    let each = |name: &str, value: &dyn Fn(&Loaded, f64) -> f64| {
        Measure::new(
            format!("{what}: {name}"),
            loads.iter().map(|(load, bytes)| value(load, *bytes)).collect(),
        )
    };
    let mut measures = vec![each("tasks/s", &|load, _| load.done_per_s.unwrap_or(0.0))];
    if let Some(steps) = steps {
        measures.push(each("steps/s", &|load, _| load.done_per_s.unwrap_or(0.0) * steps));
    }
    measures.push(each("submit p50, ms", &|load, _| load.submit_p50_ms));
    measures.push(each("submit p99, ms", &|load, _| load.submit_p99_ms));
    measures.push(each("bytes of database per task", &|load, bytes| bytes / load.accepted as f64));
    measures
}

/// Each run with a stub, a server and a directory of its own; with the growth of the database in bytes.
async fn repeat(
    config: &BenchConfig,
    name: &str,
    size: u64,
    body: &str,
    agent: &dyn Fn(&str) -> Value,
) -> anyhow::Result<Vec<(Loaded, f64)>> {
    let mut loads = Vec::new();
    for n in 0..config.runs {
        let dir = config.dir.join(format!("{name}-{size}-{n}"));
        let stub = Stub::start(&StubConfig::default())?;
        let mut up = Up::new(&dir, &[("AGENTICAI_MODEL_URL", format!("{}/v1", stub.url()))])?;
        up.start().await?;
        let api = up.api()?;
        api.put_agent(&agent(&stub.url())).await?;
        // Stopped and started, so that everything is in the database's main file and nothing in its log.
        up.terminate(Duration::from_secs(10)).await?;
        let before = size_of(&up.data_dir())?;
        up.start().await?;
        let load = Load {
            n: size,
            concurrency: SUBMITTERS,
            prefix: format!("{name}-{n}"),
            method: "POST".to_owned(),
            url: format!("{}/api/v1/tasks", up.url()),
            headers: api.headers().to_vec(),
            body: body.to_owned(),
            timeout: Duration::from_secs(300),
            count: Some(CountQuery {
                url: format!("{}/api/v1/tasks/count?status=completed", up.url()),
                field: "count".to_owned(),
                body: String::new(),
                counted: Counted::Done,
                every: Duration::from_millis(20),
            }),
        };
        let loaded = run(&load).await?;
        anyhow::ensure!(
            loaded.errors == 0 && loaded.done == Some(size),
            "{name}: of {size} tasks {} were accepted and {:?} completed; first error: {:?}\n{}",
            loaded.accepted,
            loaded.done,
            loaded.first_error,
            up.log_tail(),
        );
        up.terminate(Duration::from_secs(30)).await?;
        let after = size_of(&up.data_dir())?;
        loads.push((loaded, after.saturating_sub(before) as f64));
        drop(stub);
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(loads)
}

/// Bytes of all files in a directory.
fn size_of(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size_of(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
