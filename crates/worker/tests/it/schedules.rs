//! Several schedulers on one store whose answers get lost: whatever one has done unheard, another goes on from.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId};
use agenticai_domain::schedule::{CatchUp, Firing, FiringState, Overlap, ScheduleSpec};
use agenticai_domain::task::{End, TaskInput, TaskStatus};
use agenticai_domain::usage::Spend;
use agenticai_store::sqlite::SqliteStore;
use agenticai_store::{
    EndOutcome, Fire, FireOutcome, NewFiring, NewSchedule, PutSchedule, Result, ScheduleRow, Schedules,
    Store, StoreError, TaskFilter, Tasks,
};
use agenticai_testkit::front::{Front, Fronted};
use agenticai_worker::schedules;
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::bench::Bench;

/// Of what a scheduler writes, every third call loses its answer, before or after it went in.
struct Lossy {
    inner: SqliteStore,
    calls: Arc<AtomicU32>,
}

impl Lossy {
    async fn lose<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        match self.calls.fetch_add(1, Ordering::SeqCst) % 6 {
            1 => Err(StoreError::Unavailable("lost on the way there".into())),
            4 => {
                call.await?;
                Err(StoreError::Unavailable("lost on the way back".into()))
            }
            _ => call.await,
        }
    }
}

#[async_trait]
impl Front for Lossy {
    fn behind(&self) -> &dyn Store {
        &self.inner
    }
    async fn fire(&self, fire: Fire) -> Result<FireOutcome> {
        self.lose(self.inner.fire(fire)).await
    }
    async fn start_queued(
        &self,
        tenant: TenantId,
        id: ScheduleId,
        firing: NewFiring,
    ) -> Result<Option<Firing>> {
        self.lose(self.inner.start_queued(tenant, id, firing)).await
    }
    async fn end_task(
        &self,
        tenant: TenantId,
        id: TaskId,
        seq: u64,
        end: End,
        spend: Spend,
    ) -> Result<EndOutcome> {
        self.lose(self.inner.end_task(tenant, id, seq, end, spend)).await
    }
}

/// Three schedulers.
struct Schedulers {
    calls: Arc<AtomicU32>,
    stop: CancellationToken,
    running: TaskTracker,
}

impl Schedulers {
    fn start(bench: &Bench) -> Self {
        let (calls, stop, running) =
            (Arc::<AtomicU32>::default(), CancellationToken::new(), TaskTracker::new());
        for _ in 0..3 {
            let store = Arc::new(Fronted(Lossy { inner: bench.store.clone(), calls: calls.clone() }));
            running.spawn(schedules::run(store, bench.broker.clone(), stop.clone()));
        }
        running.close();
        Self { calls, stop, running }
    }

    /// Stops them; answers how many calls there were that could be lost.
    async fn stop(self) -> u32 {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), self.running.wait()).await.unwrap();
        self.calls.load(Ordering::SeqCst)
    }
}

/// A schedule of every second that has been due for some.
async fn schedule(bench: &Bench, name: &str, overlap: Overlap) -> ScheduleRow {
    let spec = ScheduleSpec {
        name: name.to_owned(),
        agent: bench.agent.id.to_string(),
        agent_version: None,
        input: TaskInput::Text("again".to_owned()),
        priority: None,
        timeout_seconds: None,
        metadata: serde_json::Map::new(),
        cron: "* * * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        overlap,
        catch_up: CatchUp::All,
        catch_up_window_seconds: None,
    };
    let now = agenticai_store::Leases::now(&bench.store).await.unwrap();
    let new = NewSchedule {
        id: ScheduleId(Uuid::now_v7()),
        tenant: bench.tenant,
        spec,
        paused: false,
        next_fire_at: Some(now / 1_000 * 1_000 - 4_000),
        created_by: None,
    };
    match bench.store.create_schedule(new).await.unwrap() {
        PutSchedule::Stored(row) => *row,
        other => panic!("the schedule was not stored: {other:?}"),
    }
}

/// Waits for a condition; a minute at most.
async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..3000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not happen");
}

async fn firings(bench: &Bench, schedule: &ScheduleRow) -> Vec<Firing> {
    let mut firings = bench.store.firings(bench.tenant, schedule.id, 1_000).await.unwrap();
    firings.reverse();
    firings
}

/// The tasks of a schedule, and how many of them are open.
async fn tasks(bench: &Bench, name: &str) -> (BTreeSet<TaskId>, usize) {
    let metadata = [("schedule".to_owned(), name.to_owned())].into();
    let filter = TaskFilter { metadata, ..TaskFilter::default() };
    let page = bench.store.list_tasks(bench.tenant, filter, None, 1_000).await.unwrap();
    let open = page.items.iter().filter(|row| !row.status.is_terminal()).count();
    (page.items.iter().map(|row| row.head.id).collect(), open)
}

#[tokio::test]
async fn lost_answers_fire_nothing_twice_and_replace_one_by_one() {
    let bench = Bench::new().await;
    let all = [
        schedule(&bench, "skip", Overlap::Skip).await,
        schedule(&bench, "queue", Overlap::Queue).await,
        schedule(&bench, "replace", Overlap::Replace).await,
    ];
    let schedulers = Schedulers::start(&bench);
    // No worker runs, so tasks end by being replaced alone.
    until(async || tasks(&bench, "replace").await.0.len() >= 4).await;
    until(async || firings(&bench, &all[1]).await.len() >= 8).await;
    assert!(schedulers.stop().await >= 12, "too few calls were lost to prove anything");

    for row in &all {
        let (name, fired) = (&row.spec.name, firings(&bench, row).await);
        let due: Vec<i64> = fired.iter().map(|firing| firing.due_at).collect();
        assert!(due.is_sorted_by(|one, next| one < next), "{name}: each once, in order: {due:?}");
        let created: BTreeSet<TaskId> = fired
            .iter()
            .filter(|firing| firing.state == FiringState::Created)
            .map(|firing| firing.task)
            .collect();
        let (tasks, open) = tasks(&bench, name).await;
        assert_eq!(tasks, created, "{name}");
        assert!(open <= 1, "{name}: {open} tasks are open");
        if name != "replace" {
            assert!(due.windows(2).all(|pair| pair[1] == pair[0] + 1_000), "{name} has a hole: {due:?}");
            assert_eq!(tasks.len(), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn a_queue_goes_on_as_tasks_end() {
    let bench = Bench::new().await;
    let row = schedule(&bench, "queue", Overlap::Queue).await;
    let schedulers = Schedulers::start(&bench);
    let mut ended = Vec::new();
    for _ in 0..4 {
        let open = TaskFilter { status: vec![TaskStatus::Pending], ..TaskFilter::default() };
        until(async || bench.store.count_tasks(bench.tenant, open.clone()).await.unwrap() == 1).await;
        let page = bench.store.list_tasks(bench.tenant, open.clone(), None, 10).await.unwrap();
        let task = page.items[0].head.id;
        let end = End::Completed { output: serde_json::json!("done") };
        let outcome = bench.store.end_task(bench.tenant, task, 1, end, Spend::default()).await.unwrap();
        assert_eq!(outcome, EndOutcome::Ended);
        ended.push(task);
    }
    schedulers.stop().await;
    let fired: Vec<TaskId> =
        firings(&bench, &row).await.into_iter().take(4).map(|firing| firing.task).collect();
    assert_eq!(ended, fired, "in the order of their occurrences");
}

#[tokio::test]
async fn an_agent_that_is_gone_fails_its_firings_and_holds_up_nobody() {
    let bench = Bench::new().await;
    let sound = schedule(&bench, "sound", Overlap::Skip).await;
    let mut spec = sound.spec.clone();
    (spec.name, spec.agent) = ("lost".to_owned(), "nobody".to_owned());
    let new = NewSchedule {
        id: ScheduleId(Uuid::now_v7()),
        tenant: bench.tenant,
        spec,
        paused: false,
        next_fire_at: sound.next_fire_at,
        created_by: None,
    };
    let PutSchedule::Stored(lost) = bench.store.create_schedule(new).await.unwrap() else {
        panic!("a new name")
    };
    let schedulers = Schedulers::start(&bench);
    until(async || firings(&bench, &lost).await.len() >= 7 && firings(&bench, &sound).await.len() >= 7).await;
    schedulers.stop().await;
    for firing in firings(&bench, &lost).await {
        assert_eq!(firing.state, FiringState::Failed);
        assert!(firing.why.is_some_and(|why| why.contains("`nobody`")));
    }
    assert_eq!(tasks(&bench, "sound").await.0.len(), 1);
}
