//! What the cases are written with: a store with a tenant, an agent and shorthands.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use agenticai_domain::ids::{AgentId, StepId, TaskId, TenantId};
use agenticai_domain::inbox::InboxBody;
use agenticai_domain::journal::{CallEnded, CallOutcome, Entry, READS_FORMAT};
use agenticai_domain::spec::{AgentKind, AgentSpec, BuiltinTool, Limits, ModelRef, ToolSpec};
use agenticai_domain::task::{End, NewTask, Parent, TaskError, TaskInput, WaitKind, WaitingFor, codes};
use agenticai_domain::usage::{NanoUsd, Spend, Usage};
use agenticai_store::{
    Append, AppendOutcome, Bootstrap, Claimed, CreateAgent, CreateTask, CreateTaskOutcome, DeliverOutcome,
    Idempotency, NewAgentVersion, Principal, Store, TaskRow, Then, WorkerId, WorkerInfo,
};

use super::Fixture;

/// A fresh store with a tenant and an agent.
pub struct Lab {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Made by `bootstrap`.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: Principal,
    /// Hash of the owner's key.
    pub key: [u8; 32],
    /// The tenant's agent `worker-bee`.
    pub agent: AgentId,
    /// Keeps the store alive and makes tenants.
    pub fixture: Box<dyn Fixture>,
}

impl Lab {
    /// Fills a fresh store with what most cases need.
    pub async fn new(fixture: Box<dyn Fixture>) -> Self {
        let store = fixture.store();
        let key = [7; 32];
        let first =
            Bootstrap { tenant: "home".to_owned(), user: "owner".to_owned(), key, retention_days: 30 };
        let owner = store.bootstrap(first).await.unwrap().expect("a fresh store has no tenant");
        let agent = make_agent(&*store, owner.tenant, "worker-bee").await;
        Self { store, tenant: owner.tenant, owner, key, agent, fixture }
    }

    /// One more tenant with an agent of its own.
    pub async fn other_tenant(&self) -> (TenantId, AgentId) {
        let tenant = self.fixture.add_tenant().await;
        (tenant, make_agent(&*self.store, tenant, "worker-bee").await)
    }

    /// A task that asks for nothing much.
    pub fn new_task(&self) -> NewTask {
        new_task(self.tenant, self.agent)
    }

    /// Creates a task.
    pub async fn create(&self, task: NewTask) -> TaskRow {
        match self.store.create_task(CreateTask { task, idempotency: None, thread: None }).await.unwrap() {
            CreateTaskOutcome::Created(row) => *row,
            other => panic!("a new task was not created: {other:?}"),
        }
    }

    /// Creates a task under a key.
    pub async fn create_with_key(&self, task: NewTask, key: &str, body: u8) -> CreateTaskOutcome {
        let idempotency = Some(Idempotency { key: key.to_owned(), body: [body; 32] });
        self.store.create_task(CreateTask { task, idempotency, thread: None }).await.unwrap()
    }

    /// A task as it stands.
    pub async fn row(&self, task: TaskId) -> TaskRow {
        self.store.task(self.tenant, task).await.unwrap().expect("the task exists")
    }

    /// A live worker.
    pub async fn worker(&self) -> WorkerId {
        self.worker_reading(READS_FORMAT).await
    }

    /// A live worker that reads up to this format.
    pub async fn worker_reading(&self, reads_format: u8) -> WorkerId {
        self.store.register_worker(WorkerInfo { name: "lab".to_owned(), reads_format }).await.unwrap()
    }

    /// The only task that is ready, given to the worker.
    pub async fn claim_one(&self, worker: WorkerId) -> Claimed {
        let mut claimed = self.store.claim(worker, 10.into()).await.unwrap();
        assert_eq!(claimed.len(), 1, "one task is ready");
        claimed.remove(0)
    }

    /// A new task in the hands of a new worker.
    pub async fn running(&self) -> (WorkerId, Claimed) {
        self.create(self.new_task()).await;
        let worker = self.worker().await;
        (worker, self.claim_one(worker).await)
    }

    /// Appends one run.
    pub async fn append(&self, worker: WorkerId, run: Append) -> AppendOutcome {
        let mut outcomes = self.store.append(worker, vec![run]).await.unwrap();
        assert_eq!(outcomes.len(), 1, "one outcome for one run");
        outcomes.remove(0)
    }

    /// Appends one run that must go in; answers its time.
    pub async fn accept(&self, worker: WorkerId, run: Append) -> i64 {
        match self.append(worker, run).await {
            AppendOutcome::Accepted { at } => at,
            other => panic!("the run was not accepted: {other:?}"),
        }
    }

    /// Declares a worker dead and hands its tasks over.
    pub async fn kill(&self, worker: WorkerId) -> u32 {
        let seen = self.store.observe_workers().await.unwrap();
        let beats = seen.iter().find(|seen| seen.worker == worker).expect("the worker is observed").beats;
        assert!(self.store.mark_dead(worker, beats).await.unwrap(), "its counter did not move");
        self.store.take_over(1_000).await.unwrap()
    }

    /// Delivers a signal.
    pub async fn signal(&self, task: TaskId, dedupe: &str) -> DeliverOutcome {
        self.store.deliver(self.tenant, task, dedupe.to_owned(), signal(dedupe)).await.unwrap()
    }

    /// Seqs of a journal.
    pub async fn seqs(&self, task: TaskId) -> Vec<u64> {
        let entries = self.store.read_journal(self.tenant, task, 0, 1_000).await.unwrap();
        entries.iter().map(|entry| entry.seq).collect()
    }

    /// A task that waits for anything, claimed and let go.
    pub async fn waiting(&self, wake_at: Option<i64>) -> (WorkerId, TaskId) {
        let (worker, claimed) = self.running().await;
        self.accept(worker, run(&claimed, 1, vec![entry("before the wait")]).then(wait(0, wake_at))).await;
        (worker, claimed.head.id)
    }
}

async fn make_agent(store: &dyn Store, tenant: TenantId, name: &str) -> AgentId {
    match store.create_agent(new_agent(tenant, name)).await.unwrap() {
        CreateAgent::Created(version) => version.id,
        CreateAgent::Exists => panic!("a fresh tenant has no agent `{name}`"),
    }
}

/// An agent version to be stored.
pub fn new_agent(tenant: TenantId, name: &str) -> NewAgentVersion {
    let spec = AgentSpec {
        name: name.to_owned(),
        kind: AgentKind::React,
        description: Some("Works.".to_owned()),
        model: Some(ModelRef::named("practice")),
        instructions: Some("Be \"exact\".".to_owned()),
        tools: vec![ToolSpec::Builtin(BuiltinTool {
            builtin: "calculator".to_owned(),
            effect: None,
            approval: Default::default(),
            timeout_seconds: None,
            max_result_bytes: None,
        })],
        output: None,
        limits: Limits::default(),
    };
    NewAgentVersion { tenant, spec, tools: Vec::new(), created_by: None }
}

/// A task to be created.
pub fn new_task(tenant: TenantId, agent: AgentId) -> NewTask {
    NewTask {
        id: TaskId(Uuid::now_v7()),
        tenant,
        agent,
        agent_version: 1,
        input: TaskInput::Text("do it".to_owned()),
        priority: 5,
        timeout_ms: None,
        parent: None,
        depth: 0,
        metadata: Map::new(),
        created_by: None,
        traceparent: None,
    }
}

/// A child of a step.
pub fn child_of(parent: &Claimed, call: u32) -> NewTask {
    NewTask {
        id: TaskId(Uuid::new_v5(&parent.head.id.0, &call.to_be_bytes())),
        parent: Some(Parent { task: parent.head.id, step: StepId::call(1, call) }),
        depth: parent.head.depth + 1,
        ..new_task(parent.head.tenant, parent.head.agent)
    }
}

/// A run of a claimed task that begins at `first_seq`; its number is drawn.
pub fn run(claimed: &Claimed, first_seq: u64, entries: Vec<Entry>) -> Append {
    Append {
        task: claimed.head.id,
        epoch: claimed.epoch,
        run: Uuid::new_v4().as_u64_pair().0,
        first_seq,
        entries: entries.into(),
        children: Vec::new(),
        charges: Vec::new(),
        then: Then::Continue,
    }
}

/// Finishes a run.
pub trait RunExt {
    /// What becomes of the task.
    fn then(self, then: Then) -> Append;
    /// Who is created with it.
    fn with_children(self, children: Vec<NewTask>) -> Append;
}

impl RunExt for Append {
    fn then(mut self, then: Then) -> Append {
        self.then = then;
        self
    }
    fn with_children(mut self, children: Vec<NewTask>) -> Append {
        self.children = children;
        self
    }
}

/// An entry that can be told from others.
pub fn entry(content: &str) -> Entry {
    Entry::CallEnded(CallEnded {
        step: StepId::call(1, 0),
        outcome: CallOutcome::Ok { content: json!(content) },
        attempts: 1,
        took_ms: 12,
    })
}

/// What an entry of [`entry`] says.
pub fn content(entry: &Entry) -> &str {
    match entry {
        Entry::CallEnded(CallEnded { outcome: CallOutcome::Ok { content: Value::String(text) }, .. }) => text,
        other => panic!("not an entry of this suite: {other:?}"),
    }
}

/// Waits for a signal, having seen so many messages.
pub fn wait(inbox_seen: u64, wake_at: Option<i64>) -> Then {
    Then::Wait { waiting_for: vec![waiting_for()], wake_at, inbox_seen, spend: spend(1) }
}

/// What a task of [`wait`] waits for.
pub fn waiting_for() -> WaitingFor {
    WaitingFor {
        step: StepId::call(1, 0),
        kind: WaitKind::Signal,
        tool: "wait".to_owned(),
        arguments: json!({"name": "go"}),
        schema: None,
        expires_at: None,
        child: None,
        note: Some("waits for \"go\"".to_owned()),
    }
}

/// Ends with an output.
pub fn completed(output: &str) -> End {
    End::Completed { output: json!(output) }
}

/// Ends by somebody's word.
pub fn cancelled() -> End {
    End::Cancelled { error: TaskError::new(codes::CANCELLED, "cancelled by the suite") }
}

/// Some tokens and some money.
pub fn spend(times: u64) -> Spend {
    Spend {
        usage: Usage {
            input_tokens: 100 * times,
            output_tokens: 10 * times,
            cached_tokens: 50 * times,
            reasoning_tokens: 3 * times,
        },
        cost: Some(NanoUsd(1_000 * times as i64)),
    }
}

/// A signal.
pub fn signal(name: &str) -> InboxBody {
    InboxBody::Signal { name: name.to_owned(), payload: json!({"n": 1}) }
}
