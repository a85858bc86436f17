//! The kill test: a server is killed with SIGKILL again and again while it works, and nothing may be lost, repeated
//! or forgotten.
//!
//! [`plan`] makes the tasks from a seed, [`clients`] submits and cancels them, [`people`] answers what they ask,
//! [`run`](run()) kills, and the [checker](crate::checker) judges. A run that did not hit anything is void: it fails.

pub(crate) mod agents;
pub(crate) mod clients;
pub(crate) mod coverage;
pub(crate) mod people;
pub(crate) mod plan;
pub(crate) mod rest;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fastrand::Rng;
use tokio::sync::Semaphore;

use crate::checker::{self, Evidence};
use crate::stub::{Stub, StubConfig, log::now_us};
use crate::up::Up;
use clients::Clients;
use coverage::Coverage;
use people::People;
use rest::{come_to_rest, with_journals};

/// How hard the test hits.
#[derive(Debug, Clone)]
pub struct KillConfig {
    /// Makes the same tasks and the same schedule again; what the machine does between is its own affair.
    pub seed: u64,
    /// How many tasks are submitted.
    pub tasks: usize,
    /// How often the server is killed.
    pub kills: usize,
    /// Where data and logs go.
    pub dir: PathBuf,
}

/// The least that a run must have hit, else it is void.
const MIN_KILLS: usize = 30;
const MIN_KILLS_IN_FLIGHT: usize = 20;
const MIN_TASKS: usize = 200;

/// Runs the test and prints what was seen; an error is a broken promise or a void run.
pub async fn run(config: &KillConfig) -> anyhow::Result<()> {
    let began = Instant::now();
    println!("kill test: seed {}, {} tasks, {} kills", config.seed, config.tasks, config.kills);
    std::fs::create_dir_all(&config.dir)?;
    let log = config.dir.join("stub.log");
    let stub = Arc::new(Stub::start(&StubConfig {
        latency_ms: 20,
        tool_latency_ms: 20,
        log: Some(log.clone()),
        ..StubConfig::default()
    })?);
    let model = format!("{}/v1", stub.url());
    let mut up = Up::new(&config.dir, &[("AGENTICAI_MODEL_URL", model)])?;
    up.start().await?;
    let api = up.api()?;
    for agent in agents::all(&stub.url()) {
        api.put_agent(&agent).await.with_context(|| format!("agent {}", agent["name"]))?;
    }

    let mut rng = Rng::with_seed(config.seed);
    let plan = plan::make(config.tasks, &mut rng);
    let gate = Arc::new(Semaphore::new(0));
    let clients = Clients::start(api.clone(), plan, gate.clone());
    let people = People::start(api.clone(), stub.clone(), config.seed);
    let kills = kill_again_and_again(config, &mut up, &stub, &gate, &mut rng).await?;
    gate.add_permits(config.tasks);
    let outcome = async {
        let notes = clients.join().await?;
        come_to_rest(&api).await?;
        anyhow::Ok(notes)
    };
    let notes = outcome.await.with_context(|| format!("the server's log ends with:\n{}", up.log_tail()))?;
    let people = people.stop().await?;

    stub.sync_log()?;
    let views = api.tasks("").await?;
    let tasks = with_journals(&api, &views).await?;
    let evidence = Evidence {
        tasks,
        accepted: notes.accepted(),
        calls: checker::read_log(&log)?,
        effects: agents::effects(),
        kills,
        ..Evidence::default()
    };
    up.terminate(Duration::from_secs(30)).await?;
    let report = checker::check(&evidence);
    let coverage = Coverage::of(&evidence);
    println!("{report}{coverage}{people}  {:<52}{:>8}", "seconds", began.elapsed().as_secs());
    let mut faults = notes.unexpected(&views, &people.cancelled);
    faults.extend(people.surprises);
    faults.extend(void(&report.counts, &coverage));
    faults.iter().take(50).for_each(|fault| println!("  FAULT {fault}"));
    let broken = report.violations.len() + faults.len();
    anyhow::ensure!(
        broken == 0,
        "{broken} faults with seed {}; evidence in {}",
        config.seed,
        config.dir.display()
    );
    Ok(())
}

/// The kills. Four of five wait until a call is in flight; the others come at any moment, a start included.
async fn kill_again_and_again(
    config: &KillConfig,
    up: &mut Up,
    stub: &Stub,
    gate: &Semaphore,
    rng: &mut Rng,
) -> anyhow::Result<Vec<u64>> {
    let mut kills = Vec::new();
    let per_life = config.tasks.div_ceil(config.kills.max(1));
    for n in 0..config.kills {
        gate.add_permits(per_life);
        let in_flight = n % 5 != 4;
        if in_flight {
            tokio::time::sleep(Duration::from_millis(rng.u64(50..600))).await;
            let patience = Instant::now();
            while stub.in_flight() == 0 && patience.elapsed() < Duration::from_secs(5) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        } else {
            tokio::time::sleep(Duration::from_millis(rng.u64(0..300))).await;
        }
        kills.push(now_us());
        up.kill_9().with_context(|| format!("before kill {}", n + 1))?;
        if !in_flight {
            // A second one in the middle of a start, where recovery itself is at work.
            up.spawn()?;
            tokio::time::sleep(Duration::from_millis(rng.u64(5..250))).await;
            kills.push(now_us());
            up.kill_9().with_context(|| format!("in the start after kill {}", n + 1))?;
        }
        up.start().await.with_context(|| format!("after kill {}", n + 1))?;
    }
    Ok(kills)
}

/// Why a run that broke no promise proves nothing all the same.
fn void(counts: &checker::Counts, coverage: &Coverage) -> Vec<String> {
    let mut why = Vec::new();
    let mut least = |what: &str, n: usize, least: usize| {
        if n < least {
            why.push(format!("void: {what}: {n}, at least {least} are needed"));
        }
    };
    least("kills", counts.kills, MIN_KILLS);
    least("kills with a call in flight", counts.kills_in_flight, MIN_KILLS_IN_FLIGHT);
    least("tasks", counts.accepted, MIN_TASKS);
    least("steps that became uncertain", counts.uncertain, 1);
    for (what, n) in coverage.rows() {
        least(what, n, 1);
    }
    if counts.untagged > 0 {
        why.push(format!("void: {} calls carried no task", counts.untagged));
    }
    why
}

/// The directory for a run's data: kept, since evidence of a failure must not vanish.
pub fn default_dir(seed: u64) -> PathBuf {
    Path::new(&std::env::temp_dir()).join(format!("agenticai-kill-{seed}-{}", std::process::id()))
}
