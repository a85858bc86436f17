//! What any worker does for all: dead workers' tasks, due timers, children of ended parents, tasks that gave way to a
//! newer one of their thread. None of it needs an
//! election: the store lets one of those who try succeed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use agenticai_broker::{Broker, Live};
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_store::{CancelOutcome, SUPERSEDED, Store, StoreError, WorkerId};

use crate::lease::BEAT;
use crate::metrics::WorkerMetrics;
use crate::quiet::warn_seldom;
use crate::watch::Watch;

const CHUNK: u32 = 256;

/// Observes the other workers and takes over from the dead. A worker is dead when its counter has not moved for the
/// TTL on *this* process's clock, or for less where its session has ended ([`Watch`]).
pub async fn reap(
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    metrics: Arc<WorkerMetrics>,
    own: WorkerId,
    ttl: Duration,
    stop: CancellationToken,
) {
    let mut watch = Watch::new(own, ttl);
    let mut every = tokio::time::interval(BEAT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if stop.run_until_cancelled(every.tick()).await.is_none() {
            return;
        }
        let round = Instant::now();
        let observed = match store.observe_workers().await {
            Ok(observed) if round.elapsed() < ttl => observed,
            Ok(_) => {
                watch.blind(Instant::now());
                continue;
            }
            Err(error) => {
                warn_seldom!(%error, "the other workers cannot be observed");
                watch.blind(Instant::now());
                continue;
            }
        };
        for dead in watch.look(observed, round, Instant::now()) {
            match store.mark_dead(dead.worker, dead.beats).await {
                Ok(true) => {
                    let (worker, session_ended) = (dead.worker.0, dead.parted);
                    tracing::warn!(worker, session_ended, "a worker is dead; its tasks are taken over");
                }
                Ok(false) => {}
                Err(error) => warn_seldom!(%error, "a dead worker cannot be marked"),
            }
        }
        loop {
            match store.take_over(CHUNK).await {
                Ok(0) => break,
                Ok(taken) => {
                    metrics.takeovers.inc_by(u64::from(taken));
                    broker.hint();
                }
                Err(error) => {
                    warn_seldom!(%error, "tasks of dead workers cannot be taken over");
                    break;
                }
            }
        }
    }
}

/// Makes waiting tasks ready whose time has come. A wait that is committed while this sleeps may be due sooner: `longest`,
/// the pause between two looks, bounds how late a timer can be.
pub async fn wake(
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    longest: Duration,
    stop: CancellationToken,
) {
    loop {
        let pause = match store.next_due_in().await {
            Ok(Some(0)) => match store.wake_due(CHUNK).await {
                Ok(0) => longest,
                Ok(_) => {
                    broker.hint();
                    Duration::ZERO
                }
                Err(error) => troubled(&error),
            },
            Ok(Some(ms)) => Duration::from_millis(ms).min(longest),
            Ok(None) => longest,
            Err(error) => troubled(&error),
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

fn troubled(error: &StoreError) -> Duration {
    warn_seldom!(%error, "timers cannot be read");
    Duration::from_secs(1)
}

/// Cancels what nobody else does. Children whose parents have ended: the statement that ends a parent cannot see a child
/// that is being created at that moment. Tasks that gave way to a newer one of their thread: whoever created that one may
/// have died before it cancelled them.
pub async fn cancel_forgotten(store: Arc<dyn Store>, broker: Arc<dyn Broker>, stop: CancellationToken) {
    loop {
        if stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_none() {
            return;
        }
        for (found, why) in [
            (store.orphans(CHUNK).await, "the task that called it has ended"),
            (store.superseded(CHUNK).await, SUPERSEDED),
        ] {
            match found {
                Ok(tasks) => cancel_all(store.as_ref(), broker.as_ref(), tasks, why).await,
                Err(error) => warn_seldom!(%error, "tasks that are to be cancelled cannot be listed"),
            }
        }
    }
}

async fn cancel_all(store: &dyn Store, broker: &dyn Broker, tasks: Vec<(TenantId, TaskId)>, why: &str) {
    for (tenant, task) in tasks {
        match agenticai_store::cancel(store, tenant, task, why).await {
            Ok(outcome) => {
                broker.poke(agenticai_broker::Poke::Ended(task));
                if let CancelOutcome::Cancelled { seq, in_thread, .. } = outcome {
                    broker.publish(task, Live::Appended { last_seq: seq });
                    if in_thread {
                        broker.hint();
                    }
                }
            }
            Err(error) => tracing::warn!(%task, %error, why, "a task cannot be cancelled"),
        }
    }
}
