//! W1 to W4: this system as a cluster, and others that do the same work, one after the other on the same machine.
//!
//! Every run begins with empty databases, once the machine is quiet, and with the machine's own measure: how many
//! single-row inserts 16 clients of pgbench commit in a second. Only numbers of one session are comparable, and those
//! that stand over that measure are so best.

mod agenticai;
mod celery;
mod crash;
mod in_flight;
pub mod machine;
mod report;
mod restate;
mod system;
mod throughput;
pub mod wal;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use agenticai_domain::spec::Effect;
use clap::ValueEnum;
use serde::Serialize;

pub use agenticai::{Cluster, ClusterOptions};
use machine::{Conditions, Machine};
pub use system::{Kind, Part, System, load, playing};
pub use throughput::measure as measure_throughput;

use crate::stub::{Stub, StubConfig};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// This system with RabbitMQ and Redis.
    Agenticai,
    /// This system with PostgreSQL alone.
    AgenticaiPostgres,
    /// Restate with a service of its Rust SDK.
    Restate,
    /// Celery with four processes that work.
    Celery,
    /// Celery with a hundred greenlets in one process.
    CeleryGevent,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Tasks of one small step.
    W1,
    /// Agents of 5 model calls and 4 tool calls, no latency.
    W2,
    /// The same without streams: answers come whole, as the services of the others ask for them anyway.
    W2whole,
    /// W2, and models take 50 ms.
    W2lat,
    /// Agents whose models take 20 s: how many at once, and at what memory.
    W3,
    /// 200 agents, models take 20 ms, and all workers are killed five times.
    W4,
    /// The same with tools that must not be repeated, for those who know such.
    W4once,
}

/// How much is measured.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// Who.
    pub contenders: Vec<Contender>,
    /// What.
    pub workloads: Vec<Workload>,
    /// Runs of each, of which the median is printed.
    pub runs: usize,
    /// Tasks of W1.
    pub n1: u64,
    /// Tasks of W2, with and without latency.
    pub n2: u64,
    /// Tasks of W3, where the contender can hold so many.
    pub n3: u64,
    /// The longest wait for a quiet machine before each run.
    pub quiet: Duration,
    /// Bound on one run.
    pub timeout: Duration,
    /// Where every single run goes as JSON.
    pub json: Option<PathBuf>,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Who.
    pub contender: Contender,
    /// What.
    pub workload: Workload,
    /// As of the start.
    pub conditions: Conditions,
    /// Numbers by their names, which hold their units.
    pub values: BTreeMap<&'static str, f64>,
}

/// Measures everything, prints each run as it comes and the medians at the end.
pub async fn run(config: &CompareConfig) -> anyhow::Result<()> {
    let machine = Machine::start(config.quiet).await?;
    println!("{}\n", machine.describe());
    let mut outcomes = Vec::new();
    for workload in &config.workloads {
        // Round by round, so that a machine that changes meanwhile changes for all.
        for _ in 0..config.runs {
            for contender in &config.contenders {
                if !contender.takes_part(*workload) {
                    continue;
                }
                let outcome = once(config, &machine, *contender, *workload).await?;
                println!("{}", report::line(&outcome));
                outcomes.push(outcome);
                if let Some(path) = &config.json {
                    std::fs::write(path, serde_json::to_string_pretty(&outcomes)?)?;
                }
            }
        }
    }
    println!("{}", report::tables(&outcomes));
    Ok(())
}

async fn once(
    config: &CompareConfig,
    machine: &Machine,
    contender: Contender,
    workload: Workload,
) -> anyhow::Result<Outcome> {
    let conditions = machine.conditions().await?;
    let dir = tempfile::tempdir()?;
    let crash = matches!(workload, Workload::W4 | Workload::W4once);
    let log = crash.then(|| dir.path().join("stub.log"));
    let latency_ms = match workload {
        Workload::W1 | Workload::W2 | Workload::W2whole => 0,
        Workload::W2lat => 50,
        Workload::W3 => 20_000,
        Workload::W4 | Workload::W4once => 20,
    };
    let stub = Stub::start(&StubConfig { latency_ms, log: log.clone(), ..StubConfig::default() })?;
    let tasks = config.n3.min(contender.most_in_flight());
    // One place in twenty is kept for other tenants.
    let at_once = (workload == Workload::W3).then_some(tasks + tasks / 19 + 1);
    let effect = if workload == Workload::W4once { Effect::Once } else { Effect::Idempotent };
    let options = ClusterOptions {
        alone: contender == Contender::AgenticaiPostgres,
        at_once,
        effect,
        whole_answers: workload == Workload::W2whole,
        ..ClusterOptions::default()
    };
    let system = contender.start(&stub, options).await?;
    let system = system.as_ref();
    let mut values = match workload {
        Workload::W1 => throughput::measure(system, Kind::Noop, config.n1, config.timeout).await?,
        Workload::W2 | Workload::W2whole | Workload::W2lat => {
            throughput::measure(system, Kind::Agent, config.n2, config.timeout).await?
        }
        Workload::W3 => in_flight::measure(system, &stub, tasks).await?,
        Workload::W4 | Workload::W4once => {
            crash::measure(system, &stub, log.as_deref(), effect, config.timeout).await?
        }
    };
    anyhow::ensure!(
        stub.untagged() == 0,
        "{contender:?}: the stub saw calls without a task: the run is void"
    );
    let rate = values.get("steps_per_s").or(values.get("tasks_per_s")).copied();
    if let Some(rate) = rate {
        values.insert("of_pgbench", rate / conditions.pgbench_per_s);
    }
    Ok(Outcome { contender, workload, conditions, values })
}

impl Contender {
    /// Celery is told of no tool that must not be repeated, and neither is Restate; neither asks for streams. Four
    /// processes of Celery that wait for models would take five minutes.
    fn takes_part(self, workload: Workload) -> bool {
        match workload {
            Workload::W2whole | Workload::W4once => matches!(self, Self::Agenticai | Self::AgenticaiPostgres),
            Workload::W2lat => self != Self::Celery,
            _ => true,
        }
    }

    /// Tasks that it is given at once in W3.
    fn most_in_flight(self) -> u64 {
        match self {
            Self::Agenticai | Self::AgenticaiPostgres => 18_000,
            Self::Restate => 10_000,
            Self::Celery | Self::CeleryGevent => 2_000,
        }
    }

    /// Starts it; the options are this system's.
    async fn start(self, stub: &Stub, options: ClusterOptions) -> anyhow::Result<Box<dyn System>> {
        Ok(match self {
            Self::Agenticai | Self::AgenticaiPostgres => Box::new(Cluster::start(stub, options).await?),
            Self::Restate => Box::new(restate::Restate::start(stub).await?),
            Self::Celery => Box::new(celery::Celery::start(stub, celery::Pool::Prefork).await?),
            Self::CeleryGevent => Box::new(celery::Celery::start(stub, celery::Pool::Gevent).await?),
        })
    }
}
