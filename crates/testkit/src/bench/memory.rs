//! Whether memory comes back: an autoscaler that looks at it never scales in where it does not.
//!
//! A cluster of one `api` and one `worker` is loaded with tasks of long conversations, many of them in flight at once; then
//! it is left alone, and resident memory is read again and again.

use std::time::{Duration, Instant};

use serde_json::json;

use super::compare::machine::memory;
use super::compare::{Cluster, ClusterOptions, Kind, Part, load, playing};
use super::throughput::REACT;
use crate::load;
use crate::servers::process::Process;
use crate::stub::{Stub, StubConfig};

/// How much is done, and how long is watched afterwards.
#[derive(Debug, Clone)]
pub struct MemoryConfig {
    /// Tasks of five model calls and four tool calls.
    pub tasks: u64,
    /// Tasks that the worker advances at once.
    pub at_once: u64,
    /// Length of each task's input in bytes.
    pub input_bytes: usize,
    /// How long a model takes, in milliseconds.
    pub latency_ms: u64,
    /// How long is watched afterwards.
    pub watch: Duration,
}

/// The share of the peak to which memory has to fall.
const BOUND: f64 = 0.8;
/// A load that adds less than this share of the peak leaves nothing to fall: the run is void.
const LEAST_ADDED: f64 = 0.3;
/// Between two looks afterwards.
const EVERY: Duration = Duration::from_secs(30);
/// Between two looks under load.
const OFTEN: Duration = Duration::from_millis(200);

/// The roles that are watched.
const WATCHED: [(&str, Part); 2] = [("api", Part::Api), ("worker", Part::Worker)];

/// Measures and prints; an error where memory does not fall as far as is promised.
pub async fn run(config: &MemoryConfig) -> anyhow::Result<()> {
    let stub = Stub::start(&StubConfig { latency_ms: config.latency_ms, ..StubConfig::default() })?;
    let options = ClusterOptions { at_once: Some(config.at_once), ..ClusterOptions::default() };
    let cluster = Cluster::start(&stub, options).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mib = || WATCHED.map(|(_, part)| rss_mib(playing(&cluster, part)));
    println!("{:<24}{:>10}{:>10}", "resident memory, MiB", WATCHED[0].0, WATCHED[1].0);
    let idle = mib();
    row("idle", idle);

    let mut load = load(&cluster, Kind::Agent, config.tasks, "memory".to_owned(), Duration::from_secs(600));
    let words = "Much has been said before. ".repeat(config.input_bytes / 27);
    load.body = json!({"agent": REACT, "input": format!("Run {{tag}}. {words}")}).to_string();
    let loading = tokio::spawn(async move { load::run(&load).await });
    let mut peak = idle;
    while !loading.is_finished() {
        tokio::time::sleep(OFTEN).await;
        for (peak, now) in peak.iter_mut().zip(mib()) {
            *peak = peak.max(now);
        }
    }
    let loaded = loading.await??;
    anyhow::ensure!(
        loaded.errors == 0 && loaded.done == Some(config.tasks),
        "of {} tasks {} were accepted and {:?} completed; first error: {:?}",
        config.tasks,
        loaded.accepted,
        loaded.done,
        loaded.first_error
    );
    row("peak", peak);
    let (began, mut last) = (Instant::now(), peak);
    while began.elapsed() < config.watch {
        tokio::time::sleep(EVERY.min(config.watch - began.elapsed())).await;
        last = mib();
        row(&format!("{} s after the load", began.elapsed().as_secs()), last);
    }
    for (n, (name, _)) in WATCHED.iter().enumerate() {
        let (added, share) = ((peak[n] - idle[n]) / peak[n], last[n] / peak[n]);
        println!("{name}: {:.0}% of its peak", share * 100.0);
        anyhow::ensure!(added > LEAST_ADDED, "void: the load added only {:.0}% to {name}", added * 100.0);
        anyhow::ensure!(
            share < BOUND,
            "{name} still holds {:.0}% of its peak; below {:.0}% is promised",
            share * 100.0,
            BOUND * 100.0
        );
    }
    Ok(())
}

fn rss_mib<'a>(processes: impl Iterator<Item = &'a Process>) -> f64 {
    memory(processes).rss / 1024.0
}

fn row(what: &str, mib: [f64; 2]) {
    println!("{what:<24}{:>10.1}{:>10.1}", mib[0], mib[1]);
}
