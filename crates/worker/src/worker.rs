//! The worker: one incarnation after another, each with its lease, its claims and its drivers.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use agenticai_broker::{Broker, Poke};
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::READS_FORMAT;
use agenticai_domain::task::{End, TaskError, codes};
use agenticai_domain::usage::Spend;
use agenticai_store::{Claimed, EndOutcome, Isolation, Store, StoreError, Wanted, WorkerInfo};

use crate::agents::AgentCache;
use crate::apart::{self, Apart};
use crate::appender::Appender;
use crate::budgets::{self, Purse};
use crate::clock::Clock;
use crate::drive::{DriveError, Driver, Finish, Shared, Slot};
use crate::forgotten::{self, Doubt};
use crate::lease::{Lease, Pulse, start_heartbeat};
use crate::metrics::WorkerMetrics;
use crate::perform::Performer;
use crate::places::Places;
use crate::quiet::warn_seldom;
use crate::sweeps;

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// For people: host and process.
    pub name: String,
    /// Tasks that it advances at once; waiting ones do not count.
    pub concurrency: usize,
    /// How long a worker may be silent before its tasks are taken over.
    pub lease_ttl: Duration,
    /// How long steps in flight are given when it is asked to stop.
    pub drain: Duration,
    /// Takes suspects and nothing else, as many at once as this says, each until its next step is committed, and ends
    /// when there are none: the life of a process that is started to be crashed (see [`crate::apart`]).
    pub suspects: Option<Isolation>,
    /// Without a hint, ready tasks are looked for this often.
    pub poll: Duration,
    /// Tasks that one claim takes at most.
    pub max_claim: usize,
    /// Runs that one commit takes at most: it bounds the latency of a commit.
    pub max_append: usize,
    /// So many calls' worth is drawn from a budget at once where there is plenty.
    pub budget_calls: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            concurrency: 1024,
            lease_ttl: Duration::from_secs(3),
            drain: Duration::from_secs(25),
            suspects: None,
            poll: Duration::from_millis(500),
            max_claim: 256,
            max_append: 128,
            budget_calls: 16,
        }
    }
}

/// How a worker is asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Finish the steps in flight within the drain time, hand the tasks back, end.
    pub drain: CancellationToken,
    /// Hand everything back now; said after `drain`.
    pub now: CancellationToken,
}

/// A worker.
pub struct Worker {
    /// Where tasks and journals are.
    pub store: Arc<dyn Store>,
    /// Hints, live events, pokes.
    pub broker: Arc<dyn Broker>,
    /// Who performs effects.
    pub performer: Arc<dyn Performer>,
    /// What it counts.
    pub metrics: Arc<WorkerMetrics>,
    /// Who starts a process for tasks that are suspected of crashing workers; without one they wait for a worker that
    /// has one.
    pub apart: Option<Arc<dyn Apart>>,
    /// How it works.
    pub config: WorkerConfig,
}

/// Tasks in drivers' hands.
type Slots = Arc<Mutex<HashMap<TaskId, Arc<Slot>>>>;

/// While there is more than places, one claim is made for the places that become free within this time: a claim costs
/// the database as much as several tasks of one.
const GATHER: Duration = Duration::from_millis(3);
/// How late a timer may be that falls due while nobody looks.
const LATEST_TIMER: Duration = Duration::from_millis(100);

impl Worker {
    /// Works until it is stopped. An error means that the store cannot be worked with at all.
    ///
    /// The future is boxed so that all of it is compiled with this crate and not with every program that works.
    pub fn run(self, stop: Stop) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(self.incarnations(stop))
    }

    async fn incarnations(self, stop: Stop) -> Result<(), StoreError> {
        let agents = Arc::new(AgentCache::default());
        while !stop.drain.is_cancelled() {
            let Some(lease) = self.register(&stop).await? else { break };
            self.live(lease, agents.clone(), &stop).await?;
        }
        Ok(())
    }

    async fn register(&self, stop: &Stop) -> Result<Option<(Arc<Lease>, Arc<Clock>)>, StoreError> {
        let info = WorkerInfo { name: self.config.name.clone(), reads_format: READS_FORMAT };
        loop {
            let registered = async {
                let worker = self.store.register_worker(info.clone()).await?;
                Ok((worker, self.store.now().await?))
            };
            match registered.await {
                Ok((worker, now)) => {
                    tracing::info!(worker = worker.0, name = %info.name, "worker registered");
                    let lease = Lease::new(worker, self.config.lease_ttl);
                    return Ok(Some((Arc::new(lease), Arc::new(Clock::new(now)))));
                }
                Err(StoreError::Unavailable(why)) => {
                    warn_seldom!(%why, "the worker cannot register; trying again");
                    let pause = tokio::time::sleep(Duration::from_secs(1));
                    if stop.drain.run_until_cancelled(pause).await.is_none() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One incarnation: from its registration to its end or its death.
    async fn live(
        &self,
        (lease, clock): (Arc<Lease>, Arc<Clock>),
        agents: Arc<AgentCache>,
        stop: &Stop,
    ) -> Result<(), StoreError> {
        // Ends the helpers of this incarnation; its drivers end by `lease.dead` or by draining.
        let over = CancellationToken::new();
        let _over = over.clone().drop_guard();
        let pulse = Arc::new(Pulse::default());
        tokio::spawn(pulse.clone().tick(over.clone()));
        start_heartbeat(self.store.clone(), lease.clone(), clock.clone(), pulse, over.clone())
            .map_err(|e| StoreError::Unavailable(format!("no thread for the heartbeat: {e}")))?;
        let (store, broker, metrics) = (&self.store, &self.broker, &self.metrics);
        let ttl = self.config.lease_ttl;
        tokio::spawn(sweeps::reap(
            store.clone(),
            broker.clone(),
            metrics.clone(),
            lease.worker,
            ttl,
            over.clone(),
        ));
        tokio::spawn(sweeps::wake(store.clone(), broker.clone(), LATEST_TIMER, over.clone()));
        tokio::spawn(sweeps::cancel_forgotten(store.clone(), broker.clone(), over.clone()));
        if self.config.suspects.is_none() {
            tokio::spawn(apart::watch(store.clone(), broker.clone(), self.apart.clone(), over.clone()));
        }

        let purse = Arc::new(Purse::new(
            store.clone(),
            lease.worker,
            clock.clone(),
            metrics.clone(),
            self.config.budget_calls,
        ));
        tokio::spawn(budgets::keep(purse.clone(), over.clone()));

        let slots = Slots::default();
        tokio::spawn(forward_pokes(broker.clone(), slots.clone(), over.clone()));
        let shared = Arc::new(Shared {
            store: store.clone(),
            broker: broker.clone(),
            performer: self.performer.clone(),
            agents,
            appender: Appender::start(store.clone(), lease.clone(), metrics.clone(), self.config.max_append),
            lease: lease.clone(),
            clock,
            metrics: metrics.clone(),
            purse: purse.clone(),
            doubt: Doubt::default(),
            suspects: self.config.suspects.is_some(),
            drain: stop.drain.clone(),
            drained: CancellationToken::new(),
            now: stop.now.clone(),
        });
        let known = slots.clone();
        let known = move |task: &TaskId| lock(&known).contains_key(task);
        tokio::spawn(forgotten::hand_back(shared.clone(), known, over.clone()));
        let drivers = TaskTracker::new();
        self.claim(&shared, &slots, &drivers, stop).await;
        drivers.close();
        if stop.drain.is_cancelled() {
            let drained = tokio::time::timeout(self.config.drain, drivers.wait());
            let in_time = stop.now.run_until_cancelled(drained).await.is_some_and(|in_time| in_time.is_ok());
            if !in_time {
                tracing::info!(tasks = drivers.len(), "the drain time is over; the rest is handed back");
            }
            shared.drained.cancel();
        }
        drivers.wait().await;
        if let Some(why) = lease.went_back.get() {
            return Err(StoreError::WentBack(why.clone()));
        }
        if !lease.dead.is_cancelled() {
            purse.close().await?;
            self.store.retire_worker(lease.worker).await?;
        }
        Ok(())
    }

    /// Claims until the worker is stopped or dead.
    async fn claim(&self, shared: &Arc<Shared>, slots: &Slots, drivers: &TaskTracker, stop: &Stop) {
        let suspects = self.config.suspects;
        let places = Places::new(suspects.map_or(self.config.concurrency, Isolation::at_once));
        loop {
            tokio::select! {
                () = stop.drain.cancelled() => return,
                () = shared.lease.dead.cancelled() => return,
                () = async {
                    places.free().await;
                    shared.appender.roomy().await;
                } => {}
            }
            let most = self.config.max_claim.min(shared.appender.room().max(1));
            let wanted = Wanted { suspects, ..places.wanted(most) };
            let (limit, some_sated) = (wanted.limit as usize, !wanted.sated.is_empty());
            let claiming = shared.doubt.claiming().await;
            let claimed = match self.store.claim(shared.lease.worker, wanted).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    drop(claiming);
                    shared.doubt.raise();
                    warn_seldom!(%error, "tasks cannot be claimed");
                    tokio::time::sleep(self.config.poll).await;
                    continue;
                }
            };
            let full = claimed.len() == limit;
            self.metrics.tasks_claimed.inc_by(claimed.len() as u64);
            if suspects.is_some() && claimed.is_empty() && drivers.is_empty() {
                stop.drain.cancel();
            }
            for task in claimed {
                let place = places.take(task.head.tenant);
                let slot = Arc::new(Slot::default());
                lock(slots).insert(task.head.id, slot.clone());
                self.metrics.tasks_in_flight.inc();
                let (shared, slots) = (shared.clone(), slots.clone());
                drivers.spawn(async move {
                    let id = task.head.id;
                    drive(&shared, slot, task).await;
                    lock(&slots).remove(&id);
                    shared.metrics.tasks_in_flight.dec();
                    drop(place);
                });
            }
            drop(claiming);
            if full {
                tokio::time::sleep(GATHER).await;
            } else {
                let idle = tokio::time::timeout(self.config.poll, self.broker.hinted());
                tokio::select! {
                    () = stop.drain.cancelled() => return,
                    () = shared.lease.dead.cancelled() => return,
                    // Those that were given nothing may have work for it; who tries suspects may have tried the last.
                    () = places.freed(), if some_sated || suspects.is_some() => {}
                    _ = idle => {}
                }
            }
        }
    }
}

fn lock(slots: &Slots) -> MutexGuard<'_, HashMap<TaskId, Arc<Slot>>> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drives one task and sees to it that every way out leaves it in a defined state.
async fn drive(shared: &Arc<Shared>, slot: Arc<Slot>, claimed: Claimed) {
    let (task, tenant) = (claimed.head.id, claimed.head.tenant);
    let driving = async {
        // What is needed at the begin needs no room later.
        let mut driver = Box::pin(Driver::open(shared.clone(), slot, claimed)).await?;
        driver.run().await
    };
    // A panic is a bug of ours; it must cost one task its run, not the process all of its tasks.
    match AssertUnwindSafe(driving).catch_unwind().await {
        Ok(Ok(Finish::Settled | Finish::Lost)) => {}
        Ok(Ok(Finish::Release)) => release(shared, task).await,
        Ok(Err(DriveError::Store(error @ (StoreError::Unavailable(_) | StoreError::Closed)))) => {
            tracing::warn!(%task, %error, "the task is handed back");
            release(shared, task).await;
        }
        Ok(Err(error)) => fail(shared, tenant, task, codes::JOURNAL_CORRUPT, error.to_string()).await,
        Err(_) => {
            let why = "the engine failed in a way that it should not; the server's log says where".to_owned();
            fail(shared, tenant, task, codes::INTERNAL_ERROR, why).await;
        }
    }
}

async fn release(shared: &Shared, task: TaskId) {
    for pause in [50, 200, 1000] {
        match shared.store.release(shared.lease.worker, vec![task]).await {
            Ok(()) => {
                shared.broker.hint();
                return;
            }
            Err(error) => tracing::warn!(%task, %error, "a task cannot be handed back"),
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    // It is handed back later, as one that this worker does not know of.
    shared.doubt.raise();
}

/// Ends a task that nobody can drive. Nothing is guessed: the journal stays as it is.
async fn fail(shared: &Shared, tenant: TenantId, task: TaskId, code: &str, why: String) {
    tracing::error!(%task, code, %why, "the task cannot go on");
    for _ in 0..3 {
        let Ok(seqs) = shared.store.last_seqs(vec![task]).await else { break };
        let Some((_, last_seq, _)) = seqs.first().copied() else { return };
        let end = End::Failed { error: TaskError::new(code, why.clone()) };
        match shared.store.end_task(tenant, task, last_seq + 1, end, Spend::default()).await {
            Ok(EndOutcome::Overtaken) => {}
            Ok(_) => return,
            Err(error) => tracing::error!(%task, %error, "its failure cannot be stored"),
        }
    }
    release(shared, task).await;
}

/// Wakes the drivers whose tasks something has happened to.
async fn forward_pokes(broker: Arc<dyn Broker>, slots: Slots, stop: CancellationToken) {
    use tokio::sync::broadcast::error::RecvError;
    let mut pokes = broker.pokes();
    while let Some(poke) = stop.run_until_cancelled(pokes.recv()).await {
        let (task, ended) = match poke {
            Ok(Poke::Inbox(task)) => (task, false),
            Ok(Poke::Ended(task)) => (task, true),
            Err(RecvError::Lagged(_)) => {
                // Which ones were missed is unknown: everybody looks.
                for slot in lock(&slots).values() {
                    slot.inbox.store(true, Ordering::Release);
                    slot.ended.store(true, Ordering::Release);
                    slot.news.notify_one();
                }
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        if let Some(slot) = lock(&slots).get(&task) {
            if ended { &slot.ended } else { &slot.inbox }.store(true, Ordering::Release);
            slot.news.notify_one();
        }
    }
}
