//! How long one tenant waits behind another: one has a hundred thousand tasks queued and every place of the workers taken
//! with calls of twenty seconds, and then the other comes with its first.

use std::time::{Duration, Instant};

use agenticai_domain::ids::TaskId;
use agenticai_domain::spec::Effect;
use anyhow::Context as _;
use serde_json::Value;
use tokio_postgres::NoTls;

use super::claims::fill;
use super::compare::{Cluster, ClusterOptions, System as _};
use super::throughput::{react_agent, react_body};
use crate::api::Api;
use crate::checker::read_log;
use crate::servers::directory::Directory;
use crate::stub::log::now_us;
use crate::stub::{Stub, StubConfig};

/// How much stands in the way.
#[derive(Debug, Clone)]
pub struct FairnessConfig {
    /// Tasks that the first tenant has queued.
    pub pending: u64,
    /// How long each of their steps takes.
    pub latency: Duration,
    /// Worker processes, with as many tasks at once as is the default.
    pub workers: usize,
    /// How many tasks the second tenant submits, one after another: the first is what counts, the others come at other
    /// points of the waves in which long calls begin and end.
    pub tasks: usize,
}

/// What the second tenant may have to wait at most.
const BOUND: Duration = Duration::from_secs(2);
/// The part of its places that a worker gives to one tenant alone.
const FOR_ONE: f64 = 0.95;
/// Tasks that a worker advances at once.
const AT_ONCE: u64 = 1024;

/// Measures and prints; an error where somebody waits longer than is promised.
pub async fn run(config: &FairnessConfig) -> anyhow::Result<()> {
    let directory = Directory::new("fairness")?;
    let log = directory.path().join("stub.log");
    let latency_ms = u64::try_from(config.latency.as_millis())?;
    let stub = Stub::start(&StubConfig { latency_ms, log: Some(log.clone()), ..StubConfig::default() })?;
    let options =
        ClusterOptions { workers: config.workers, at_once: Some(AT_ONCE), ..ClusterOptions::default() };
    let cluster = Cluster::start(&stub, options).await?;
    let first = cluster.api().context("it has an API")?;
    let second = cluster.add_tenant("second").await?;
    second.put_agent(&react_agent(&stub.url(), Effect::Idempotent)).await?;

    submit(first).await?;
    let (client, connection) = tokio_postgres::connect(cluster.database_url(), NoTls).await?;
    let connection = tokio::spawn(connection);
    fill(&client, config.pending).await?;
    drop(client);
    connection.await.context("the connection's task panicked")??;
    let full = ((AT_ONCE * config.workers as u64) as f64 * FOR_ONE) as u64 - 1;
    let began = Instant::now();
    while stub.in_flight() < full {
        anyhow::ensure!(
            began.elapsed() < Duration::from_secs(60),
            "{} calls are in flight, not {full}: nobody is in the way",
            stub.in_flight()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!(
        "{} calls of one tenant are in flight, {} tasks are queued; another tenant comes",
        stub.in_flight(),
        config.pending
    );
    let mut waits = Vec::new();
    for n in 0..config.tasks {
        let submitted_us = now_us();
        let task = submit(&second).await?;
        let call_us = first_call(&stub, &log, task, config.latency * 3).await?;
        let waited = Duration::from_micros(call_us.saturating_sub(submitted_us));
        println!(
            "  task {:>3}: its first call came {:>8.3} s after its submission",
            n + 1,
            waited.as_secs_f64()
        );
        waits.push(waited);
        // Not in step with the other's waves.
        tokio::time::sleep(config.latency / 7).await;
    }
    let (first, longest) = (waits.first().copied().unwrap_or_default(), waits.iter().max().copied());
    let longest = longest.unwrap_or_default();
    println!(
        "first task of the other tenant {:.3} s, longest of all {:.3} s",
        first.as_secs_f64(),
        longest.as_secs_f64()
    );
    anyhow::ensure!(longest <= BOUND, "{longest:?} is more than the promised {BOUND:?}");
    Ok(())
}

async fn submit(api: &Api) -> anyhow::Result<TaskId> {
    let body: Value = serde_json::from_str(&react_body())?;
    let answer: Value = api.call("POST", "/api/v1/tasks", &[], Some(body)).await?;
    Ok(answer["id"].as_str().context("a task without an id")?.parse()?)
}

/// When a task's first call reached the model, in microseconds since 1970.
async fn first_call(
    stub: &Stub,
    log: &std::path::Path,
    task: TaskId,
    within: Duration,
) -> anyhow::Result<u64> {
    let (began, name) = (Instant::now(), task.to_string());
    loop {
        stub.sync_log()?;
        let calls = read_log(log)?;
        if let Some(call) = calls.iter().find(|call| call.task.as_deref() == Some(&name)) {
            return Ok(call.begin_us);
        }
        anyhow::ensure!(began.elapsed() < within, "{task} has made no call within {within:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
