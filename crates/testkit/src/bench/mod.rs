//! How fast it is, with full durability, on the machine that it is run on.
//!
//! [`compare`]: a cluster beside others that do the same work. [`growth`]: with more workers and with more rows.
//! [`claims`]: a long queue under an old snapshot. [`fairness`]: a tenant behind another's long queue. [`memory`]: what is
//! left of it after a load. [`migration`]: submits while large tables are migrated. The rest is about `agenticai up` alone:
//! every number is the median of several runs, each on a fresh data directory. What is measured:
//!
//! - W1: tasks of an agent of kind `tool` that do one small thing, 64 submitters.
//! - W2: tasks of 5 model calls and 4 tool calls against the stub, 64 submitters.
//! - The milliseconds that the platform adds to a step: one task at a time, minus what the stub itself took.
//! - Bytes of database per task, resident memory of an idle server, time from start to ready.

pub mod claims;
pub mod compare;
pub mod fairness;
mod footprint;
pub mod growth;
pub mod memory;
pub mod migration;
mod steps;
mod throughput;

use std::path::PathBuf;

use crate::load::median;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct BenchConfig {
    /// Runs of each, of which the median is printed.
    pub runs: usize,
    /// Sizes of W1 and W2 in tasks.
    pub sizes: Vec<u64>,
    /// Starts of which the median is the cold start.
    pub starts: usize,
    /// Where data and logs go.
    pub dir: PathBuf,
}

/// One number.
#[derive(Debug, Clone)]
pub struct Measure {
    /// What it is, with its unit.
    pub name: String,
    /// One for each run.
    pub values: Vec<f64>,
}

impl Measure {
    fn new(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values }
    }
}

/// Measures everything and prints it as it comes.
pub async fn run(config: &BenchConfig) -> anyhow::Result<Vec<Measure>> {
    std::fs::create_dir_all(&config.dir)?;
    println!("{:<56}{:>12}   (lowest, highest of {})", "", "median", config.runs);
    let mut all = Vec::new();
    let mut note = |measures: Vec<Measure>| {
        for measure in &measures {
            print(measure);
        }
        all.extend(measures);
    };
    note(footprint::measure(config).await?);
    for latency_ms in [0, 50] {
        note(steps::measure(config, latency_ms).await?);
    }
    for size in &config.sizes {
        note(throughput::jobs(config, *size).await?);
        note(throughput::agents(config, *size).await?);
    }
    Ok(all)
}

fn print(measure: &Measure) {
    let lowest = measure.values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = measure.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let middle = median(measure.values.clone());
    println!("{:<56}{middle:>12.2}   ({lowest:.2}, {highest:.2})", measure.name);
}
