//! How many tasks a worker takes: those that wait for a model cost nothing, those whose runs wait for the store do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agenticai_domain::task::TaskStatus;
use agenticai_store::sqlite::SqliteStore;
use agenticai_store::{Append, AppendOutcome, Claimed, Journal, Leases, Result, Store, Wanted, WorkerId};
use agenticai_testkit::front::{Front, Fronted};
use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::bench::{Bench, Scripted, answer, eventually};

const TASKS: usize = 600;

/// Appends only while it is let, and counts what is claimed.
struct Gated {
    inner: SqliteStore,
    gate: Semaphore,
    claimed: AtomicUsize,
}

#[async_trait]
impl Front for Gated {
    fn behind(&self) -> &dyn Store {
        &self.inner
    }
    async fn append(&self, worker: WorkerId, runs: Vec<Append>) -> Result<Vec<AppendOutcome>> {
        let _open = self.gate.acquire().await.unwrap();
        self.inner.append(worker, runs).await
    }
    async fn claim(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>> {
        let claimed = self.inner.claim(worker, wanted).await?;
        self.claimed.fetch_add(claimed.len(), Ordering::SeqCst);
        Ok(claimed)
    }
}

fn gated(bench: &Bench, permits: usize) -> Arc<Fronted<Gated>> {
    let (inner, gate) = (bench.store.clone(), Semaphore::new(permits));
    Arc::new(Fronted(Gated { inner, gate, claimed: AtomicUsize::new(0) }))
}

#[tokio::test]
async fn a_worker_whose_runs_wait_claims_no_more_until_they_are_committed() {
    let bench = Bench::new().await;
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(bench.submit().await);
    }
    let store = gated(&bench, 0);
    let worker = bench.work_on(store.clone(), Arc::new(Scripted::calling(&[])));
    let claimed = || store.0.claimed.load(Ordering::SeqCst);
    eventually("it claims", || claimed() > 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Two batches; more only by claims that were quicker than the runs of what was claimed before.
    assert!((192..=512).contains(&claimed()), "{} claimed while nothing is committed", claimed());
    store.0.gate.add_permits(1);
    for task in tasks {
        bench.until(task, TaskStatus::Completed).await;
    }
    assert_eq!(claimed(), TASKS);
    worker.drain().await;
}

#[tokio::test]
async fn tasks_that_wait_for_a_model_do_not_keep_a_worker_from_claiming() {
    let bench = Bench::new().await;
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(bench.submit().await);
    }
    let store = gated(&bench, 1);
    let model = Arc::new(Semaphore::new(0));
    let mut performer = Scripted::calling(&[]);
    performer.model = Box::new({
        let model = model.clone();
        move |_, _| {
            let model = model.clone();
            Box::pin(async move {
                let _answer = model.acquire().await.unwrap();
                Ok(answer(&[]))
            })
        }
    });
    let worker = bench.work_on(store.clone(), Arc::new(performer));
    eventually("all are in flight", || store.0.claimed.load(Ordering::SeqCst) == TASKS).await;
    model.add_permits(1);
    for task in tasks {
        bench.until(task, TaskStatus::Completed).await;
    }
    worker.drain().await;
}
