//! Tasks that crash workers: tried apart, and failed once one was seen to crash alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::task::{End, TaskStatus, codes};
use agenticai_store::sqlite::SqliteStore;
use agenticai_store::{Claimed, Isolation, Leases, Result, Store, Suspects, Wanted, WorkerId};
use agenticai_testkit::front::{Front, Fronted};
use agenticai_worker::{Apart, Worker, WorkerConfig};
use async_trait::async_trait;

use crate::bench::{Bench, Scripted, config};

/// Gives its only task to nobody, and says that it is a suspect until it is seen to crash alone.
struct Tainted {
    inner: SqliteStore,
    tenant: TenantId,
    task: Mutex<Option<TaskId>>,
    crashed: AtomicBool,
}

#[async_trait]
impl Front for Tainted {
    fn behind(&self) -> &dyn Store {
        &self.inner
    }
    async fn claim(&self, _: WorkerId, _: Wanted) -> Result<Vec<Claimed>> {
        Ok(Vec::new())
    }
    async fn suspects(&self) -> Result<Suspects> {
        let task = *self.task.lock().unwrap();
        Ok(match (task, self.crashed.load(Ordering::SeqCst)) {
            (None, _) => Suspects::default(),
            (Some(_), false) => {
                Suspects { ready: [(Isolation::Few, 1), (Isolation::Alone, 1)].into(), poison: Vec::new() }
            }
            (Some(task), true) => Suspects { poison: vec![(self.tenant, task)], ..Suspects::default() },
        })
    }
    async fn crashed(&self, name: String, isolation: Isolation) -> Result<()> {
        assert_eq!((name.as_str(), isolation), ("the process", Isolation::Alone));
        self.crashed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// A process that never ends where it holds a few; alone it ends well once, and crashes after that.
struct Process(AtomicUsize);

#[async_trait]
impl Apart for Process {
    async fn run(&self, isolation: Isolation) -> std::result::Result<Option<String>, String> {
        if isolation != Isolation::Alone {
            return std::future::pending().await;
        }
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        Ok((before > 0).then(|| "the process".to_owned()))
    }
}

#[tokio::test]
async fn a_task_that_is_seen_to_crash_alone_fails() {
    let bench = Bench::new().await;
    let tainted = Arc::new(Fronted(Tainted {
        inner: bench.store.clone(),
        tenant: bench.tenant,
        task: Mutex::default(),
        crashed: AtomicBool::new(false),
    }));
    let process = Arc::new(Process(AtomicUsize::new(0)));
    let worker = bench.work_with(
        tainted.clone(),
        Arc::new(Scripted::calling(&[])),
        Some(process.clone() as Arc<dyn Apart>),
    );
    let task = bench.submit().await;
    *tainted.0.task.lock().unwrap() = Some(task);
    let row = bench.until(task, TaskStatus::Failed).await;
    assert!(matches!(&row.end, Some(End::Failed { error }) if error.code == codes::POISON), "{row:?}");
    assert_eq!(process.0.load(Ordering::SeqCst), 2, "a process that ends well proves nothing");
    *tainted.0.task.lock().unwrap() = None;
    worker.drain().await;
}

/// Says once of every task that it is a suspect.
struct Suspected {
    inner: SqliteStore,
    left: AtomicUsize,
}

#[async_trait]
impl Front for Suspected {
    fn behind(&self) -> &dyn Store {
        &self.inner
    }
    async fn claim(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>> {
        assert_eq!(wanted.suspects, Some(Isolation::Few));
        let limit = wanted.limit.min(self.left.load(Ordering::SeqCst) as u32);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let claimed = self.inner.claim(worker, limit.into()).await?;
        self.left.fetch_sub(claimed.len(), Ordering::SeqCst);
        Ok(claimed)
    }
}

#[tokio::test]
async fn suspects_are_handed_back_after_their_next_step_and_the_process_ends() {
    let bench = Bench::new().await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(bench.submit().await);
    }
    let store = Suspected { inner: bench.store.clone(), left: AtomicUsize::new(tasks.len()) };
    let performer = Arc::new(Scripted::calling(&["charge"]));
    let calls = |step: &str| performer.calls.lock().unwrap().get(step).copied().unwrap_or_default();
    let tries = bench.run(Worker {
        store: Arc::new(Fronted(store)),
        broker: bench.broker.clone(),
        performer: performer.clone(),
        metrics: Arc::default(),
        apart: None,
        config: WorkerConfig { suspects: Some(Isolation::Few), ..config() },
    });
    tokio::time::timeout(std::time::Duration::from_secs(20), tries.handle).await.unwrap().unwrap().unwrap();
    for task in &tasks {
        let row = bench.row(*task).await;
        assert_eq!(row.status, TaskStatus::Pending, "ready to be gone on with: {row:?}");
    }
    // The call that must not be repeated was committed as begun together with that step: it is made, not left in doubt.
    assert_eq!((calls("1"), calls("1.0"), calls("2")), (20, 20, 0), "{:?}", performer.calls);
    let worker = bench.work(performer.clone());
    for task in tasks {
        bench.until(task, TaskStatus::Completed).await;
    }
    assert_eq!((calls("1"), calls("1.0"), calls("2")), (20, 20, 20), "{:?}", performer.calls);
    worker.drain().await;
}
