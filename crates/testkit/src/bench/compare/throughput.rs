//! W1 and W2: as many tasks as possible.

use std::collections::BTreeMap;
use std::time::Duration;

use super::machine::{cpu_s, own_cpu_s};
use super::system::{Kind, Part, System, load, playing};
use super::wal::Wal;
use crate::bench::throughput::W2_STEPS;
use crate::load;

/// Tasks with which caches, connections and plans are made before anything is measured.
const WARM_UP: u64 = 64;

/// The parts whose processor time is told, by the names under which it is.
const PARTS: [(&str, Part); 5] = [
    ("cpu_us_api", Part::Api),
    ("cpu_us_worker", Part::Worker),
    ("cpu_us_scheduler", Part::Scheduler),
    ("cpu_us_postgres", Part::Database),
    ("cpu_us_servers", Part::Server),
];

/// Submits `n` tasks and waits until all are completed and can be asked for.
pub async fn measure(
    system: &dyn System,
    kind: Kind,
    n: u64,
    timeout: Duration,
) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    completed(system, kind, WARM_UP, "warm", timeout, 0).await?;
    let wal = match system.database() {
        Some(postgres) => Some((postgres, Wal::read(postgres).await?)),
        None => None,
    };
    let cpu = PARTS.map(|(_, part)| cpu_s(playing(system, part)));
    let own = own_cpu_s();
    let loaded = completed(system, kind, n, "run", timeout, WARM_UP).await?;
    let per_task = |sum: f64| sum / n as f64;
    let rate = loaded.done_per_s.unwrap_or(0.0);
    let mut values = BTreeMap::from([
        ("tasks_per_s", rate),
        ("submit_per_s", loaded.submit_per_s),
        ("submit_p50_ms", loaded.submit_p50_ms),
        ("submit_p99_ms", loaded.submit_p99_ms),
        ("cpu_us_stub_and_load", per_task((own_cpu_s() - own) * 1e6)),
    ]);
    if kind == Kind::Agent {
        values.insert("steps_per_s", rate * W2_STEPS);
    }
    for ((name, part), before) in PARTS.into_iter().zip(cpu) {
        values.insert(name, per_task((cpu_s(playing(system, part)) - before) * 1e6));
    }
    if let Some((postgres, before)) = wal {
        let wal = Wal::read(postgres).await?.since(before);
        values.insert("wal_syncs", wal.syncs);
        values.insert("wal_syncs_per_task", per_task(wal.syncs));
        values.insert("wal_writes_per_task", per_task(wal.writes));
        values.insert("wal_bytes_per_task", per_task(wal.bytes));
        values.insert("commits_per_task", per_task(wal.commits));
    }
    Ok(values)
}

/// Submits tasks and waits for all of them; an error if any is missing. `before` were completed before.
async fn completed(
    system: &dyn System,
    kind: Kind,
    n: u64,
    prefix: &str,
    timeout: Duration,
    before: u64,
) -> anyhow::Result<load::Loaded> {
    let loaded = load::run(&load(system, kind, n, prefix.to_owned(), timeout)).await?;
    let done = match system.api() {
        // What is not left may have failed.
        Some(api) => Some(api.count("status=completed").await? - before),
        None => loaded.done,
    };
    let logs = || -> String { playing(system, Part::Worker).map(|worker| worker.log_tail()).collect() };
    anyhow::ensure!(
        loaded.errors == 0 && done == Some(n),
        "of {n} tasks {} were accepted and {done:?} completed; first error: {:?}\n{}",
        loaded.accepted,
        loaded.first_error,
        logs()
    );
    Ok(loaded)
}
