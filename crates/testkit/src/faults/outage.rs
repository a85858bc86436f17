//! A database that stands still, and a worker that hardly gets any time: nobody may take anything over.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::Semaphore;

use super::stage::{Stage, row};
use crate::checker::{self, Report};
use crate::cluster::Node;
use crate::kill::clients::Clients;
use crate::kill::people::People;
use crate::kill::plan;

/// How many tasks are under way.
const TASKS: usize = 240;

/// A worker that gets a tenth of a CPU: it runs for so long …
const RUNS: Duration = Duration::from_millis(10);
/// … and then stands still for so long.
const STANDS: Duration = Duration::from_millis(90);

/// Freezes the database for a time, and then starves one worker for as long.
pub async fn run(seed: u64, length: Duration, dir: &Path) -> anyhow::Result<()> {
    println!(
        "outage: seed {seed}, {TASKS} tasks, the database frozen and a worker starved for {length:?} each"
    );
    let stage = Stage::set(dir, |_| ()).await?;
    let gate = Arc::new(Semaphore::new(0));
    let clients =
        Clients::start(stage.api.clone(), plan::make(TASKS, &mut Rng::with_seed(seed)), gate.clone());
    let people = People::start(stage.api.clone(), stage.stub.clone(), seed);

    gate.add_permits(TASKS / 3);
    let frozen = under_way(&stage).await?;
    stage.cluster.postgres.process().freeze();
    gate.add_permits(TASKS / 3);
    tokio::time::sleep(length).await;
    stage.cluster.postgres.process().thaw();

    gate.add_permits(TASKS);
    let starved = under_way(&stage).await?;
    starve(&stage.cluster.workers[0], length).await;

    let notes = clients.join().await?;
    let (ended, evidence) = stage.rest(notes.accepted(), &[]).await?;
    let people = people.stop().await?;
    let (report, dead) = (checker::check(&evidence), ended.declared_dead().await?);
    print!("{report}");
    row("calls in flight when the database was frozen", frozen);
    row("calls in flight when the worker was starved", starved);
    row("workers declared dead", dead);
    row("tasks taken over from dead workers", ended.sums.takeovers());
    row("model calls repeated", report.counts.model_repeats);
    let mut wrong = notes.unexpected(&ended.tasks, &people.cancelled);
    wrong.extend(people.surprises);
    wrong.extend(faults(&report));
    if dead > 0 || ended.sums.takeovers() > 0 {
        wrong.push(format!(
            "{dead} live workers were declared dead, {} tasks taken over",
            ended.sums.takeovers()
        ));
    }
    ended.conclude(&wrong, &format!("the outage with seed {seed}"))
}

/// What is wrong where nothing may have been noticed.
pub(super) fn faults(report: &Report) -> Vec<String> {
    let mut wrong: Vec<String> =
        report.violations.iter().map(|v| format!("{:?}: {}: {}", v.rule, v.task, v.detail)).collect();
    if report.counts.model_repeats > 0 {
        wrong.push(format!("{} model calls were paid twice", report.counts.model_repeats));
    }
    wrong
}

/// Waits until calls are in flight; answers how many. A run without them would prove nothing.
async fn under_way(stage: &Stage) -> anyhow::Result<u64> {
    let began = Instant::now();
    loop {
        let calls = stage.stub.in_flight();
        if calls >= 5 {
            return Ok(calls);
        }
        anyhow::ensure!(
            began.elapsed() < Duration::from_secs(30),
            "void: no five calls came to be in flight"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn starve(node: &Node, length: Duration) {
    let began = Instant::now();
    while began.elapsed() < length {
        node.process().freeze();
        tokio::time::sleep(STANDS).await;
        node.process().thaw();
        tokio::time::sleep(RUNS).await;
    }
}
