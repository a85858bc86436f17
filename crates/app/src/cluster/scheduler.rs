//! `scheduler`: what has its time and belongs to no task in anybody's hands. Any number may run; each job must be one
//! that several processes can do at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use agenticai_broker::{Broker, ClusterBroker};
use agenticai_server::Backlog;
use agenticai_store::Store;
use agenticai_store::postgres::{Housekept, PostgresStore};

use super::Role;
use super::broker::{self, BrokerMetrics};
use super::database::wait_for_store;
use super::role::Process;
use super::store_metrics::PoolMetrics;
use super::stuck::Watch;
use crate::commands::Context;
use crate::exit::{Exit, Result};

/// A loop that runs until its token is cancelled. It survives an outage of the store by itself.
type Job = fn(Arc<dyn Store>, Arc<dyn Broker>, CancellationToken) -> BoxFuture<'static, ()>;

/// Every job by its name for the log. What else has its time is added here.
const JOBS: [(&str, Job); 3] = [
    ("due waits", |store, broker, stop| Box::pin(agenticai_worker::wake(store, broker, LONGEST, stop))),
    ("schedules", |store, broker, stop| Box::pin(agenticai_worker::schedules::run(store, broker, stop))),
    ("usage", |store, _, stop| Box::pin(roll_up(store, stop))),
];

/// Runs the jobs until somebody says stop.
pub async fn run(context: &Context) -> Result {
    let settings = &context.loaded.settings;
    let process = Process::begin(context, Role::Scheduler)?;
    let broker = broker::config(context, Role::Scheduler)?;
    let Some(postgres) = wait_for_store(context, Role::Scheduler, &process.standing, &process.stop).await?
    else {
        return Ok(Exit::Ok);
    };
    let store: Arc<dyn Store> = Arc::new(postgres.clone());
    let broker = Arc::new(ClusterBroker::start(broker));
    let mut registry = Registry::default();
    let backlog = Backlog::register(&mut registry);
    registry.register_collector(Box::new(PoolMetrics(postgres.clone())));
    registry.register_collector(Box::new(BrokerMetrics::of(&broker)));
    let watch = Watch::new(postgres.clone(), &settings.scheduler, &mut registry);
    let (jobs, ending) = (TaskTracker::new(), CancellationToken::new());
    for (name, job) in JOBS {
        tracing::info!(job = name, "scheduled");
        jobs.spawn(job(store.clone(), broker.clone(), ending.clone()));
    }
    tracing::info!(job = "retention", "scheduled");
    jobs.spawn(housekeep(postgres.clone(), settings.scheduler.retention_check, ending.clone()));
    tracing::info!(job = "stuck tasks", "scheduled");
    jobs.spawn(watch.run(ending.clone()));
    jobs.close();
    process.standing.works(store, Arc::new(registry), backlog);
    process.stop.cancelled().await;
    process.retire().await;
    ending.cancel();
    // Each statement of a job is whole by itself: what does not end in time is left to the next scheduler.
    let ended = tokio::time::timeout(settings.worker.drain, jobs.wait());
    process.hurry.run_until_cancelled(ended).await;
    postgres.close();
    process.end().await;
    Ok(Exit::Ok)
}

/// The longest pause between two looks at what is due: workers do the same more often. With all of them busy or gone,
/// timers still ring.
const LONGEST: Duration = Duration::from_secs(1);

/// Tasks that one round of the roll-up looks at, and the pause after one that had less to look at.
const ROLLED_UP: u32 = 2_000;
const ROLL_UP: Duration = Duration::from_secs(10);

/// Adds tasks that have ended to the sums of their hours.
async fn roll_up(store: Arc<dyn Store>, stop: CancellationToken) {
    loop {
        let Some(looked_at) = stop.run_until_cancelled(store.roll_up_usage(ROLLED_UP)).await else { return };
        let more = match looked_at {
            Ok(looked_at) => looked_at >= ROLLED_UP / 2,
            Err(error) => {
                tracing::warn!(%error, "usage is summed up later");
                false
            }
        };
        let pause = if more { Duration::from_millis(100) } else { ROLL_UP };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// After a round of housekeeping that failed.
const AGAIN: Duration = Duration::from_secs(30);

/// Makes partitions in time and removes what is past its retention.
async fn housekeep(store: PostgresStore, every: Duration, stop: CancellationToken) {
    loop {
        let Some(done) = stop.run_until_cancelled(store.housekeep()).await else { return };
        let pause = match done {
            Ok(done) => {
                if done != Housekept::default() {
                    let Housekept { made, rehomed, removed, dropped, blobs } = done;
                    tracing::info!(made, rehomed, removed, dropped, blobs, "housekeeping");
                }
                every
            }
            Err(error) => {
                tracing::warn!(%error, "housekeeping was cut short; trying again");
                AGAIN.min(every)
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}
