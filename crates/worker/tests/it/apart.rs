//! Tasks that crash workers: tried apart, and failed once one was seen to crash alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::task::{End, TaskStatus, codes};
use agenticai_store::sqlite::SqliteStore;
use agenticai_store::{Claimed, Result, Store, Suspects, Wanted, WorkerId};
use agenticai_testkit::front::{Front, Fronted};
use agenticai_worker::Apart;
use async_trait::async_trait;

use crate::bench::{Bench, Scripted};

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
            (Some(_), false) => Suspects { ready: 1, poison: Vec::new() },
            (Some(task), true) => Suspects { ready: 0, poison: vec![(self.tenant, task)] },
        })
    }
    async fn crashed_alone(&self, name: String) -> Result<()> {
        assert_eq!(name, "the process");
        self.crashed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// A process that ends well once, and crashes after that.
struct Process(AtomicUsize);

#[async_trait]
impl Apart for Process {
    async fn run(&self) -> std::result::Result<Option<String>, String> {
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
