//! `bench`: measures the program that AGENTICAI_BIN names; see the library's module `bench` and `bench/README.md`.

use std::path::PathBuf;
use std::time::Duration;

use agenticai_testkit::bench::claims::{self, ClaimsConfig};
use agenticai_testkit::bench::compare::{self, CompareConfig, Contender, Workload};
use agenticai_testkit::bench::fairness::{self, FairnessConfig};
use agenticai_testkit::bench::growth::{self, GrowthConfig};
use agenticai_testkit::bench::memory::{self, MemoryConfig};
use agenticai_testkit::bench::migration::{self, MigrationConfig};
use agenticai_testkit::bench::{self, BenchConfig};
use agenticai_testkit::load::median;
use clap::{Args, Parser};

/// Prints medians; give it a release binary and an idle machine.
#[derive(Parser)]
enum Bench {
    /// One machine: `agenticai up`.
    Up(Up),
    /// W1 to W4: a cluster on this machine, and others that do the same work.
    Cluster(Cluster),
    /// A cluster with more workers and with more rows, and the bytes of a step.
    Growth(Growth),
    /// Claims from a long queue under an old snapshot.
    Claims(Claims),
    /// The first task of a tenant behind a hundred thousand long ones of another.
    Fairness(Fairness),
    /// Resident memory of `api` and `worker` before, under and after a load.
    Memory(Memory),
    /// Submits while large tables are migrated.
    Migration(Migration),
}

#[derive(Args)]
struct Up {
    /// Runs of each workload.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Sizes of the workloads in tasks.
    #[arg(long, value_delimiter = ',', default_value = "1000,5000")]
    sizes: Vec<u64>,
    /// Starts for the time to ready.
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Where the medians go as JSON, besides the screen.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Cluster {
    /// Runs of each workload.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Who is measured.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "agenticai,agenticai-postgres")]
    contenders: Vec<Contender>,
    /// And who else.
    #[arg(long, value_delimiter = ',', value_enum)]
    peers: Vec<Contender>,
    /// What is measured.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "w1,w2,w2whole,w2lat,w3,w4,w4once")]
    workloads: Vec<Workload>,
    /// Tasks of W1.
    #[arg(long, default_value_t = 20_000)]
    n1: u64,
    /// Tasks of W2, with and without latency.
    #[arg(long, default_value_t = 5_000)]
    n2: u64,
    /// Tasks of W3.
    #[arg(long, default_value_t = 18_000)]
    n3: u64,
    /// The longest wait for a quiet machine before each run, in seconds.
    #[arg(long, default_value_t = 180)]
    quiet_s: u64,
    /// Bound on one run, in seconds.
    #[arg(long, default_value_t = 300)]
    timeout_s: u64,
    /// Where every run goes as JSON, besides the screen.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Growth {
    /// Runs of each.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Worker processes.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4")]
    workers: Vec<usize>,
    /// Rows of the journal, growing.
    #[arg(long, value_delimiter = ',', default_value = "0,1000000,10000000")]
    rows: Vec<u64>,
    /// Tasks of W2.
    #[arg(long, default_value_t = 5_000)]
    n2: u64,
    /// The longest wait for a quiet machine, in seconds.
    #[arg(long, default_value_t = 180)]
    quiet_s: u64,
}

#[derive(Args)]
struct Claims {
    /// Tasks in the queue.
    #[arg(long, default_value_t = 1_000_000)]
    pending: u64,
    /// Those of them that are claimed.
    #[arg(long, default_value_t = 400_000)]
    claimed: u64,
    /// Tasks of one claim.
    #[arg(long, default_value_t = 256)]
    batch: u32,
    /// How long the claims are stretched, and with them the snapshot's age, in seconds.
    #[arg(long, default_value_t = 600)]
    snapshot_s: u64,
}

#[derive(Args)]
struct Fairness {
    /// Tasks that the first tenant has queued.
    #[arg(long, default_value_t = 100_000)]
    pending: u64,
    /// How long each step of theirs takes, in milliseconds.
    #[arg(long, default_value_t = 20_000)]
    latency_ms: u64,
    /// Worker processes.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Tasks that the second tenant submits, one after another.
    #[arg(long, default_value_t = 10)]
    tasks: usize,
}

#[derive(Args)]
struct Memory {
    /// Tasks of five model calls and four tool calls.
    #[arg(long, default_value_t = 8_000)]
    tasks: u64,
    /// Tasks that the worker advances at once.
    #[arg(long, default_value_t = 4_000)]
    at_once: u64,
    /// Length of each task's input in bytes.
    #[arg(long, default_value_t = 8_192)]
    input_bytes: usize,
    /// How long a model takes, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    latency_ms: u64,
    /// How long is watched after the load, in seconds.
    #[arg(long, default_value_t = 300)]
    watch_s: u64,
}

#[derive(Args)]
struct Migration {
    /// Rows of the journal.
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Tasks submitted in a second.
    #[arg(long, default_value_t = 200)]
    per_s: u32,
    /// How long submits are looked at before and after, in seconds.
    #[arg(long, default_value_t = 30)]
    quiet_s: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Bench::parse() {
        Bench::Up(args) => up(args).await,
        Bench::Cluster(args) => {
            compare::run(&CompareConfig {
                contenders: args.contenders.into_iter().chain(args.peers).collect(),
                workloads: args.workloads,
                runs: args.runs,
                n1: args.n1,
                n2: args.n2,
                n3: args.n3,
                quiet: Duration::from_secs(args.quiet_s),
                timeout: Duration::from_secs(args.timeout_s),
                json: args.json,
            })
            .await
        }
        Bench::Growth(args) => {
            growth::run(&GrowthConfig {
                runs: args.runs,
                workers: args.workers,
                rows: args.rows,
                n2: args.n2,
                quiet: Duration::from_secs(args.quiet_s),
            })
            .await
        }
        Bench::Fairness(args) => {
            fairness::run(&FairnessConfig {
                pending: args.pending,
                latency: Duration::from_millis(args.latency_ms),
                workers: args.workers,
                tasks: args.tasks,
            })
            .await
        }
        Bench::Memory(args) => {
            memory::run(&MemoryConfig {
                tasks: args.tasks,
                at_once: args.at_once,
                input_bytes: args.input_bytes,
                latency_ms: args.latency_ms,
                watch: Duration::from_secs(args.watch_s),
            })
            .await
        }
        Bench::Migration(args) => {
            migration::run(&MigrationConfig {
                rows: args.rows,
                per_s: args.per_s,
                quiet: Duration::from_secs(args.quiet_s),
            })
            .await
        }
        Bench::Claims(args) => {
            claims::run(&ClaimsConfig {
                pending: args.pending,
                claimed: args.claimed,
                batch: args.batch,
                snapshot: Duration::from_secs(args.snapshot_s),
            })
            .await
        }
    }
}

async fn up(args: Up) -> anyhow::Result<()> {
    let dir = std::env::temp_dir().join(format!("agenticai-bench-{}", std::process::id()));
    let config = BenchConfig { runs: args.runs, sizes: args.sizes, starts: args.starts, dir };
    let measures = bench::run(&config).await?;
    std::fs::remove_dir_all(&config.dir)?;
    if let Some(path) = args.json {
        let medians: serde_json::Map<String, serde_json::Value> =
            measures.into_iter().map(|m| (m.name, median(m.values).into())).collect();
        std::fs::write(path, serde_json::to_string_pretty(&medians)?)?;
    }
    Ok(())
}
