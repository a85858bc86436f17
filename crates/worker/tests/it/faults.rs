//! A store whose answers get lost: runs go in, and the worker does not hear of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use agenticai_domain::task::TaskStatus;
use agenticai_store::sqlite::SqliteStore;
use agenticai_store::{
    Append, AppendOutcome, Claimed, Journal, Leases, Result, Store, StoreError, Wanted, WorkerId,
};
use agenticai_testkit::front::{Front, Fronted};
use async_trait::async_trait;

use crate::bench::{Bench, Scripted};

/// Passes everything on; every third append loses its answer, before or after it went in.
struct Lossy {
    inner: SqliteStore,
    appends: AtomicU32,
}

#[tokio::test]
async fn lost_answers_repeat_no_step_and_lose_none() {
    let bench = Bench::new().await;
    let lossy = Arc::new(Fronted(Lossy { inner: bench.store.clone(), appends: AtomicU32::new(0) }));
    let performer = Arc::new(Scripted::calling(&["charge", "read", "charge"]));
    let worker = bench.work_on(lossy.clone(), performer.clone());
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(bench.submit().await);
    }
    for task in tasks {
        bench.until(task, TaskStatus::Completed).await;
        let steps = bench.journal(task).await.len();
        assert_eq!(steps, 7, "2 turns, 2 started, 3 results");
    }
    let calls = performer.calls.lock().unwrap().clone();
    assert_eq!(calls.values().sum::<usize>(), 20 * 5, "{calls:?}");
    assert!(lossy.0.appends.load(Ordering::SeqCst) >= 6, "too few appends were lost to prove anything");
    worker.drain().await;
}

#[async_trait]
impl Front for Lossy {
    fn behind(&self) -> &dyn Store {
        &self.inner
    }
    async fn append(&self, worker: WorkerId, runs: Vec<Append>) -> Result<Vec<AppendOutcome>> {
        match self.appends.fetch_add(1, Ordering::SeqCst) % 6 {
            1 => Err(StoreError::Unavailable("lost on the way there".into())),
            4 => {
                self.inner.append(worker, runs).await?;
                Err(StoreError::Unavailable("lost on the way back".into()))
            }
            _ => self.inner.append(worker, runs).await,
        }
    }
}

/// Loses the answers of the first claims that give something.
struct Forgetful {
    inner: SqliteStore,
    claims: AtomicU32,
}

#[async_trait]
impl Front for Forgetful {
    fn behind(&self) -> &dyn Store {
        &self.inner
    }
    async fn claim(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>> {
        let claimed = self.inner.claim(worker, wanted).await?;
        if !claimed.is_empty() && self.claims.fetch_add(1, Ordering::SeqCst) < 2 {
            return Err(StoreError::Unavailable("lost on the way back".into()));
        }
        Ok(claimed)
    }
}

#[tokio::test]
async fn a_task_whose_claim_was_not_answered_is_not_forgotten() {
    let bench = Bench::new().await;
    let store = Forgetful { inner: bench.store.clone(), claims: AtomicU32::new(0) };
    let performer = Arc::new(Scripted::calling(&["read"]));
    let worker = bench.work_on(Arc::new(Fronted(store)), performer.clone());
    let task = bench.submit().await;
    bench.until(task, TaskStatus::Completed).await;
    assert_eq!(performer.calls.lock().unwrap().get("1"), Some(&1), "the model was asked once");
    worker.drain().await;
}

/// Takes no run at all.
struct Refusing(SqliteStore);

#[async_trait]
impl Front for Refusing {
    fn behind(&self) -> &dyn Store {
        &self.0
    }
    async fn append(&self, _: WorkerId, runs: Vec<Append>) -> Result<Vec<AppendOutcome>> {
        Ok(runs.iter().map(|_| AppendOutcome::Refused("planted".into())).collect())
    }
}

#[tokio::test]
async fn data_that_is_refused_again_and_again_ends_its_task() {
    let bench = Bench::new().await;
    let performer = Arc::new(Scripted::calling(&["read"]));
    let worker = bench.work_on(Arc::new(Fronted(Refusing(bench.store.clone()))), performer.clone());
    let task = bench.submit().await;
    bench.until(task, TaskStatus::Failed).await;
    assert_eq!(performer.calls.lock().unwrap().get("1"), Some(&1), "the model was asked once");
    worker.drain().await;
}
