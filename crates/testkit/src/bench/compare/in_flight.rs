//! W3: models take 20 seconds. How many tasks are truly in flight at once, and what memory each of them takes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::machine::memory;
use super::system::{Kind, Part, System, load, playing};
use crate::load;
use crate::stub::Stub;

/// How long the number in flight may stand still before it counts as the highest.
const STANDS_STILL: Duration = Duration::from_secs(8);
/// Bound on the whole look.
const LONGEST: Duration = Duration::from_secs(90);

/// Submits `n` tasks and watches the stub.
pub async fn measure(
    system: &dyn System,
    stub: &Stub,
    n: u64,
) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let idle = memory(playing(system, Part::Worker));
    let database_idle = memory(playing(system, Part::Database));
    let mut load = load(system, Kind::Agent, n, "flight".to_owned(), LONGEST);
    load.count = None;
    let submitting = tokio::spawn(async move { load::run(&load).await });
    let began = Instant::now();
    let (mut most, mut at) = (0, Instant::now());
    let (mut worker, mut database, mut server) = (idle, database_idle, memory(playing(system, Part::Server)));
    while at.elapsed() < STANDS_STILL && began.elapsed() < LONGEST {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = stub.in_flight();
        if now > most {
            (most, at) = (now, Instant::now());
            worker = memory(playing(system, Part::Worker));
            database = memory(playing(system, Part::Database));
            server = memory(playing(system, Part::Server));
        }
    }
    let loaded = submitting.await??;
    anyhow::ensure!(most > 0, "nothing was in flight; first error: {:?}", loaded.first_error);
    let mib = |kib: f64| kib / 1024.0;
    let per_task = |kib: f64| kib / most as f64;
    let mut values = BTreeMap::from([
        ("tasks", n as f64),
        ("in_flight", most as f64),
        ("reached_after_s", at.duration_since(began).as_secs_f64()),
        ("submit_per_s", loaded.submit_per_s),
        ("worker_idle_mib", mib(idle.rss)),
        ("worker_mib", mib(worker.rss)),
        ("worker_kib_per_task", per_task(worker.rss)),
        ("worker_added_pss_kib_per_task", per_task(worker.pss - idle.pss)),
        ("servers_mib", mib(server.pss)),
    ]);
    if system.database().is_some() {
        values.insert("postgres_idle_mib", mib(database_idle.pss));
        values.insert("postgres_mib", mib(database.pss));
    }
    Ok(values)
}
