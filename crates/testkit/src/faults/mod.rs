//! The fault run: a cluster under load whose workers, APIs, database, queue and cache are killed, frozen and cut off in
//! random order, and of which nothing may be lost, repeated or forgotten.
//!
//! The tasks, clients and people are those of the [kill test](crate::kill), before two APIs. [`kinds`] says what can be
//! struck, [`strike`] does it, [`watchers`] follow tasks meanwhile, [`tables`] looks at the database after every fault,
//! and the [checker](crate::checker) judges by the twelve invariants. A run that did not hit enough is void: it fails.
//! [`moments`] leaves nothing to luck: it holds a cluster at the worst points of its races, and must find faults that are
//! planted into the store. [`outage`] and [`rolling`] are runs in which nothing may be noticed at all.

mod kinds;
mod meters;
pub mod moments;
pub mod outage;
mod owners;
pub mod rolling;
mod stage;
mod strike;
mod tables;
mod watchers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fastrand::Rng;
use tokio::sync::Semaphore;

use crate::checker::{self, Counts, Snapshot};
use crate::kill::clients::Clients;
use crate::kill::coverage::Coverage;
use crate::kill::people::People;
use crate::kill::plan;
use kinds::{Kind, Means, Target};
pub use stage::{Broken, Void};
use stage::{Stage, VOID, row};
use strike::Fault;
use watchers::Watchers;

/// How hard a run hits.
#[derive(Debug, Clone)]
pub struct FaultConfig {
    /// Makes the same tasks and the same order of faults again; what the machine does between is its own affair.
    pub seed: u64,
    /// How many tasks are submitted.
    pub tasks: usize,
    /// How many faults are struck.
    pub faults: usize,
    /// Where logs and evidence go.
    pub dir: PathBuf,
}

/// The least that each kind must have struck with calls in flight, else the run is void.
const MIN_OF_EACH_KIND: usize = 3;

/// Tasks that one fault has to do with, where neither number is given.
pub const TASKS_PER_FAULT: usize = 44;

/// Runs the test and prints what was seen; an error is a broken promise or a void run.
pub async fn run(config: &FaultConfig) -> anyhow::Result<()> {
    let began = Instant::now();
    println!("fault run: seed {}, {} tasks, {} faults", config.seed, config.tasks, config.faults);
    let stage = Stage::set(&config.dir, |_| ()).await?;
    let set_up = began.elapsed();

    let mut rng = Rng::with_seed(config.seed);
    let tasks = plan::make(config.tasks, &mut rng);
    let with_once = tasks.iter().filter(|task| task.charges()).count();
    let gate = Arc::new(Semaphore::new(0));
    let clients = Clients::start(stage.api.clone(), tasks, gate.clone());
    let people = People::start(stage.api.clone(), stage.stub.clone(), config.seed);
    let watchers = Watchers::start(stage.api.clone());
    let (faults, mut snapshots) = strike_again_and_again(config, &stage, &gate, &mut rng).await?;
    let faults_over = began.elapsed();
    gate.add_permits(config.tasks);

    let notes = clients.join().await?;
    let struck: Vec<u32> = faults.iter().filter_map(|fault| fault.worker).collect();
    let (ended, mut evidence) = stage.rest(notes.accepted(), &struck).await?;
    let people = people.stop().await?;
    evidence.watched = watchers.stop().await?;
    snapshots.append(&mut evidence.snapshots);
    evidence.snapshots = snapshots;
    evidence.frozen = (faults.iter())
        .filter(|fault| fault.kind == Kind { target: Target::Worker, means: Means::Freeze })
        .map(|fault| fault.span)
        .collect();
    evidence.database_away =
        faults.iter().filter(|fault| fault.kind.target == Target::Postgres).map(|fault| fault.span).collect();
    evidence.kills = (faults.iter())
        .filter(|fault| fault.kind.means == Means::Kill)
        .map(|fault| fault.span.from_us)
        .collect();

    let (report, coverage) = (checker::check(&evidence), Coverage::of(&evidence));
    let by_kind = by_kind(&faults);
    print!("{report}{coverage}{people}");
    for (kind, (all, in_flight)) in &by_kind {
        row(&format!("{kind}, of these with calls in flight"), format!("{all} / {in_flight}"));
    }
    ended.sums.rows().for_each(|(what, n)| row(what, n));
    row("tasks with `once` calls, percent", 100 * with_once / config.tasks.max(1));
    row("model calls repeated", report.counts.model_repeats);
    row("  of these lost with a worker that was struck", report.counts.model_repeats_struck);
    row("  of these lost with a worker that was declared dead", report.counts.model_repeats_lost);
    let (again, after_hanging_up) = notes.asked_again();
    row("keys asked for again / after hanging up", format!("{again} / {after_hanging_up}"));
    row("threads / places in their queues seen", {
        format!("{} / {}", report.counts.threads, report.counts.queued)
    });
    row("calls after a commit by a process frozen before it", report.counts.by_woken);
    row("tokens charged to a budget", report.counts.tokens);
    row("looks at the tables / places of tasks seen", {
        format!("{} / {}", evidence.snapshots.len(), report.counts.places)
    });
    row("streams followed to the end / connections", {
        format!("{} / {}", report.counts.streams, report.counts.stream_connections)
    });
    row("seconds: set-up, faults, all", {
        format!("{} / {} / {}", set_up.as_secs(), (faults_over - set_up).as_secs(), began.elapsed().as_secs())
    });
    print!("{}", report.invariants());
    let mut wrong: Vec<String> =
        report.violations.iter().map(|v| format!("{:?}: {}: {}", v.rule, v.task, v.detail)).collect();
    wrong.extend(notes.unexpected(&ended.tasks, &people.cancelled));
    wrong.extend(people.surprises);
    wrong.extend(void(&report.counts, &coverage, &by_kind));
    ended.conclude(&wrong, &format!("the run with seed {}", config.seed))
}

/// Faults and those with calls in flight, by kind.
type ByKind = BTreeMap<Kind, (usize, usize)>;

fn by_kind(faults: &[Fault]) -> ByKind {
    let mut kinds: ByKind = Kind::all().map(|kind| (kind, (0, 0))).collect();
    for fault in faults {
        let (all, in_flight) = kinds.entry(fault.kind).or_default();
        *all += 1;
        *in_flight += usize::from(fault.in_flight > 0);
    }
    kinds
}

/// The faults, one after the other, each with tasks that come before it and in the midst of it; and where every task was
/// after each.
async fn strike_again_and_again(
    config: &FaultConfig,
    stage: &Stage,
    gate: &Semaphore,
    rng: &mut Rng,
) -> anyhow::Result<(Vec<Fault>, Vec<Snapshot>)> {
    let (mut faults, mut snapshots) = (Vec::new(), Vec::new());
    let portion = config.tasks.div_ceil(config.faults.max(1));
    for (n, kind) in Kind::deck(config.faults, rng).into_iter().enumerate() {
        gate.add_permits(portion - portion / 2);
        tokio::time::sleep(Duration::from_millis(rng.u64(100..800))).await;
        let patience = Instant::now();
        while stage.stub.in_flight() == 0 && patience.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let in_flight = stage.stub.in_flight();
        let more = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            gate.add_permits(portion / 2);
        };
        let (fault, ()) = tokio::join!(Fault::strike(&stage.cluster, kind, in_flight, rng), more);
        let fault = fault.with_context(|| format!("fault {} of seed {}: {kind}", n + 1, config.seed))?;
        let seconds = (fault.span.until_us - fault.span.from_us) as f64 / 1e6;
        println!("  {:>4}  {kind:<22} {in_flight:>4} calls in flight, {seconds:>5.1} s", n + 1);
        faults.push(fault);
        snapshots.push(stage.snapshot().await?);
    }
    Ok((faults, snapshots))
}

/// Why a run that broke no promise proves nothing all the same.
fn void(counts: &Counts, coverage: &Coverage, by_kind: &ByKind) -> Vec<String> {
    let mut why = Vec::new();
    let mut least = |what: &str, n: usize, least: usize| {
        if n < least {
            why.push(format!("{VOID}{what}: {n}, at least {least} are needed"));
        }
    };
    for (kind, (_, in_flight)) in by_kind {
        least(&format!("{kind} with calls in flight"), *in_flight, MIN_OF_EACH_KIND);
    }
    least("steps that became uncertain", counts.uncertain, 1);
    least("tokens charged to a budget", usize::try_from(counts.tokens).unwrap_or(usize::MAX), 1);
    least("threads with several tasks", counts.threads, 1);
    least("places in threads' queues seen", counts.queued, 1);
    least("streams that outlived a connection", counts.stream_connections, counts.streams + 1);
    for (what, n) in coverage.rows() {
        least(what, n, 1);
    }
    if counts.untagged > 0 {
        why.push(format!("{VOID}{} calls carried no task", counts.untagged));
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_hit_too_little_is_void() {
        let struck = Kind::all().map(|kind| (kind, (3, 3))).collect::<ByKind>();
        let counts = Counts {
            uncertain: 1,
            threads: 1,
            queued: 1,
            tokens: 1,
            streams: 2,
            stream_connections: 3,
            ..Counts::default()
        };
        let nothing_else = Coverage::default().rows().len();
        assert_eq!(void(&counts, &Coverage::default(), &struck).len(), nothing_else);
        for kind in Kind::all() {
            let mut less = struck.clone();
            less.insert(kind, (3, 2));
            assert_eq!(void(&counts, &Coverage::default(), &less).len(), nothing_else + 1, "{kind}");
        }
        for counts in [
            Counts { uncertain: 0, ..counts.clone() },
            Counts { threads: 0, ..counts.clone() },
            Counts { queued: 0, ..counts.clone() },
            Counts { tokens: 0, ..counts.clone() },
            Counts { untagged: 1, ..counts.clone() },
            Counts { stream_connections: 2, ..counts.clone() },
        ] {
            assert_eq!(void(&counts, &Coverage::default(), &struck).len(), nothing_else + 1, "{counts:?}");
        }
    }
}
