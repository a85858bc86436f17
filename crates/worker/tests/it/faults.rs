//! A store whose answers get lost: runs go in, and the worker does not hear of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use agenticai_domain::ids::{AgentId, TaskId, TenantId};
use agenticai_domain::inbox::{InboxBody, InboxMessage};
use agenticai_domain::journal::Recorded;
use agenticai_domain::outcome::ToolOutcome;
use agenticai_domain::spec::AgentVersion;
use agenticai_domain::task::{End, TaskStatus};
use agenticai_domain::usage::Spend;
use agenticai_store::sqlite::SqliteStore;
use agenticai_store::{
    AgentSelector, Agents, Append, AppendOutcome, Beat, Bootstrap, Claimed, CreateAgent, CreateTask,
    CreateTaskOutcome, DeliverOutcome, EndOutcome, Identity, Journal, KeyHash, Leases, NewAgentVersion,
    Observed, Page, Principal, PutAgent, Result, StoreError, TaskFilter, TaskRow, Tasks, WorkerId,
    WorkerInfo,
};
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
    let lossy = Arc::new(Lossy { inner: bench.store.clone(), appends: AtomicU32::new(0) });
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
    assert!(lossy.appends.load(Ordering::SeqCst) >= 6, "too few appends were lost to prove anything");
    worker.drain().await;
}

#[async_trait]
impl Journal for Lossy {
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
    async fn read_journal(
        &self,
        tenant: TenantId,
        task: TaskId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Recorded>> {
        self.inner.read_journal(tenant, task, after, limit).await
    }
    async fn last_seqs(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, u64, TaskStatus)>> {
        self.inner.last_seqs(tasks).await
    }
    async fn inbox(&self, task: TaskId, after: u64) -> Result<Vec<InboxMessage>> {
        self.inner.inbox(task, after).await
    }
    async fn keep_late_result(&self, task: TaskId, epoch: u32, outcome: ToolOutcome) -> Result<()> {
        self.inner.keep_late_result(task, epoch, outcome).await
    }
    async fn late_results(
        &self,
        tenant: TenantId,
        task: TaskId,
    ) -> Result<Vec<(u32, agenticai_domain::ids::StepId, String)>> {
        self.inner.late_results(tenant, task).await
    }
}

#[async_trait]
impl Leases for Lossy {
    async fn register_worker(&self, info: WorkerInfo) -> Result<WorkerId> {
        self.inner.register_worker(info).await
    }
    async fn beat(&self, worker: WorkerId) -> Result<Beat> {
        self.inner.beat(worker).await
    }
    async fn observe_workers(&self) -> Result<Vec<Observed>> {
        self.inner.observe_workers().await
    }
    async fn mark_dead(&self, worker: WorkerId, beats: i64) -> Result<bool> {
        self.inner.mark_dead(worker, beats).await
    }
    async fn take_over(&self, limit: u32) -> Result<u32> {
        self.inner.take_over(limit).await
    }
    async fn claim(&self, worker: WorkerId, limit: u32) -> Result<Vec<Claimed>> {
        self.inner.claim(worker, limit).await
    }
    async fn release(&self, worker: WorkerId, tasks: Vec<TaskId>) -> Result<()> {
        self.inner.release(worker, tasks).await
    }
    async fn retire_worker(&self, worker: WorkerId) -> Result<()> {
        self.inner.retire_worker(worker).await
    }
    async fn wake_due(&self, limit: u32) -> Result<u32> {
        self.inner.wake_due(limit).await
    }
    async fn next_due_in(&self) -> Result<Option<u64>> {
        self.inner.next_due_in().await
    }
    async fn backlog(&self) -> Result<(u64, u64)> {
        self.inner.backlog().await
    }
    async fn now(&self) -> Result<i64> {
        self.inner.now().await
    }
}

#[async_trait]
impl Identity for Lossy {
    async fn bootstrap(&self, first: Bootstrap) -> Result<Option<Principal>> {
        self.inner.bootstrap(first).await
    }
    async fn add_owner_key(&self, key: KeyHash) -> Result<Option<Principal>> {
        self.inner.add_owner_key(key).await
    }
    async fn authenticate(&self, key: KeyHash) -> Result<Option<Principal>> {
        self.inner.authenticate(key).await
    }
}

#[async_trait]
impl Agents for Lossy {
    async fn create_agent(&self, new: NewAgentVersion) -> Result<CreateAgent> {
        self.inner.create_agent(new).await
    }
    async fn put_agent(&self, new: NewAgentVersion) -> Result<PutAgent> {
        self.inner.put_agent(new).await
    }
    async fn agent(
        &self,
        tenant: TenantId,
        which: AgentSelector,
        version: Option<u32>,
    ) -> Result<Option<AgentVersion>> {
        self.inner.agent(tenant, which, version).await
    }
    async fn agent_of_task(
        &self,
        tenant: TenantId,
        id: AgentId,
        version: u32,
    ) -> Result<Option<AgentVersion>> {
        self.inner.agent_of_task(tenant, id, version).await
    }
    async fn list_agents(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<AgentVersion>> {
        self.inner.list_agents(tenant, cursor, limit).await
    }
    async fn list_agent_versions(
        &self,
        tenant: TenantId,
        id: AgentId,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<AgentVersion>> {
        self.inner.list_agent_versions(tenant, id, cursor, limit).await
    }
    async fn delete_agent(&self, tenant: TenantId, which: AgentSelector) -> Result<bool> {
        self.inner.delete_agent(tenant, which).await
    }
}

#[async_trait]
impl Tasks for Lossy {
    async fn create_task(&self, new: CreateTask) -> Result<CreateTaskOutcome> {
        self.inner.create_task(new).await
    }
    async fn task_by_key(&self, tenant: TenantId, key: String) -> Result<Option<(TaskRow, [u8; 32])>> {
        self.inner.task_by_key(tenant, key).await
    }
    async fn task(&self, tenant: TenantId, id: TaskId) -> Result<Option<TaskRow>> {
        self.inner.task(tenant, id).await
    }
    async fn list_tasks(
        &self,
        tenant: TenantId,
        filter: TaskFilter,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<TaskRow>> {
        self.inner.list_tasks(tenant, filter, cursor, limit).await
    }
    async fn count_tasks(&self, tenant: TenantId, filter: TaskFilter) -> Result<u64> {
        self.inner.count_tasks(tenant, filter).await
    }
    async fn end_task(
        &self,
        tenant: TenantId,
        id: TaskId,
        seq: u64,
        end: End,
        spend: Spend,
    ) -> Result<EndOutcome> {
        self.inner.end_task(tenant, id, seq, end, spend).await
    }
    async fn deliver(
        &self,
        tenant: TenantId,
        id: TaskId,
        dedupe: String,
        body: InboxBody,
    ) -> Result<DeliverOutcome> {
        self.inner.deliver(tenant, id, dedupe, body).await
    }
    async fn orphans(&self, limit: u32) -> Result<Vec<(TenantId, TaskId)>> {
        self.inner.orphans(limit).await
    }
}
