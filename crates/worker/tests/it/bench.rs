//! A store in a temporary directory, workers on it, and a performer that does what a test says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenticai_agent::models::Bound;
use agenticai_broker::{Broker, MemoryBroker};
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::{ModelAttempt, Recorded};
use agenticai_domain::outcome::{ModelAnswer, ModelOutcome, RawCall, ToolOutcome, ToolResult};
use agenticai_domain::spec::{AgentSpec, Approval, Effect, RetryPolicy, ToolDef, ToolSource};
use agenticai_domain::task::{NewTask, TaskError, TaskInput, TaskStatus, codes};
use agenticai_domain::usage::Spend;
use agenticai_store::sqlite::{SqliteOptions, SqliteStore};
use agenticai_store::{
    Bootstrap, CreateTask, CreateTaskOutcome, Identity, NewAgentVersion, PutAgent, Store, StoreError,
    TaskRow, read_whole_journal,
};
use agenticai_worker::{Apart, ModelJob, Performer, Stop, ToolJob, Worker, WorkerConfig, WorkerMetrics};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// What a model or tool does when it is called.
type Script<T> = Box<dyn Fn(u32, Value) -> BoxFuture<'static, T> + Send + Sync>;

/// Performs by script and counts every call by its step.
pub struct Scripted {
    pub model: Script<Result<ModelAnswer, String>>,
    pub tool: Script<ToolResult>,
    pub calls: Arc<Mutex<HashMap<String, usize>>>,
    pub open: Arc<AtomicUsize>,
    /// What a model call may consume, and what it does consume.
    pub cost: Option<(Bound, Spend)>,
}

/// Counts a call as open until it ends or is aborted.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scripted {
    /// A model that calls `tools` in turn 1 and answers `done` in turn 2; tools answer at once.
    pub fn calling(tools: &'static [&'static str]) -> Self {
        Self {
            model: Box::new(move |turn, _| {
                Box::pin(async move {
                    let calls = if turn == 1 { tools } else { &[] };
                    Ok(answer(calls))
                })
            }),
            tool: Box::new(|_, _| Box::pin(async { ToolResult::ok(json!("result")) })),
            calls: Arc::default(),
            open: Arc::default(),
            cost: None,
        }
    }
}

fn begin(calls: &Mutex<HashMap<String, usize>>, open: &Arc<AtomicUsize>, step: String) -> Open {
    *calls.lock().unwrap().entry(step).or_default() += 1;
    open.fetch_add(1, Ordering::SeqCst);
    Open(open.clone())
}

pub fn answer(tools: &[&str]) -> ModelAnswer {
    let call = |(i, name): (usize, &&str)| RawCall {
        id: format!("c{i}"),
        name: (*name).to_owned(),
        arguments: if *name == "sleep" { r#"{"seconds": 0.3}"#.into() } else { "{}".into() },
    };
    let text = if tools.is_empty() { "done".to_owned() } else { String::new() };
    ModelAnswer { text, calls: tools.iter().enumerate().map(call).collect(), ..ModelAnswer::default() }
}

impl Performer for Scripted {
    fn model(&self, job: ModelJob<'_>) -> BoxFuture<'static, ModelOutcome> {
        let (turn, step) = (job.turn, job.call.step.to_string());
        let (cost, tab) = (self.cost, job.tab);
        let (answering, open) = ((self.model)(turn, Value::Null), self.open.clone());
        let calls = self.calls.clone();
        Box::pin(async move {
            let result = async {
                if let Some((bound, _)) = &cost {
                    tab.reserve(bound).await?;
                }
                let _open = begin(&calls, &open, step);
                answering.await.map_err(|why| TaskError::new(codes::MODEL_UNAVAILABLE, why))
            };
            let result = result.await;
            let spend = cost.filter(|_| result.is_ok()).map(|(_, spend)| spend).unwrap_or_default();
            ModelOutcome {
                turn,
                request: ModelAttempt {
                    provider: "scripted".into(),
                    model: "scripted".into(),
                    dialect: "scripted".into(),
                    format: 1,
                    sha256: String::new(),
                },
                result,
                spend,
                attempts: 1,
                took_ms: 1,
            }
        })
    }

    fn tool(&self, job: ToolJob) -> BoxFuture<'static, ToolOutcome> {
        let (step, open) = (job.call.step, begin(&self.calls, &self.open, job.call.step.to_string()));
        let answering = (self.tool)(step.turn, job.arguments);
        Box::pin(async move {
            let result = answering.await;
            drop(open);
            ToolOutcome { step, result, attempts: 1, took_ms: 1 }
        })
    }
}

pub struct Bench {
    pub store: SqliteStore,
    pub broker: Arc<MemoryBroker>,
    pub tenant: TenantId,
    pub agent: agenticai_domain::spec::AgentVersion,
    _dir: tempfile::TempDir,
}

pub struct Running {
    pub stop: Stop,
    pub handle: JoinHandle<Result<(), StoreError>>,
}

impl Running {
    /// Like SIGKILL as far as the lease goes: no more beats. Its drivers go on as zombies.
    pub fn lose(self) {
        self.handle.abort();
    }

    pub async fn drain(self) {
        self.stop.drain.cancel();
        self.handle.await.unwrap().unwrap();
    }
}

pub const TTL: Duration = Duration::from_millis(1500);

/// How the workers of tests work.
pub fn config() -> WorkerConfig {
    WorkerConfig {
        name: "test".into(),
        concurrency: 1000,
        lease_ttl: TTL,
        drain: Duration::from_millis(500),
        ..WorkerConfig::default()
    }
}

impl Bench {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(dir.path())).unwrap();
        let first = Bootstrap { tenant: "t".into(), user: "u".into(), key: [7; 32], retention_days: 30 };
        let tenant = store.bootstrap(first).await.unwrap().unwrap().tenant;
        let spec: AgentSpec =
            serde_json::from_value(json!({"name": "scripted", "model": "scripted"})).unwrap();
        let tools = vec![
            tool("read", Effect::None, None),
            tool("charge", Effect::Once, None),
            tool("sleep", Effect::None, Some("sleep")),
            tool("ask_human", Effect::None, Some("ask_human")),
        ];
        let new = NewAgentVersion { tenant, spec, tools, created_by: None };
        let PutAgent::Stored(agent) = agenticai_store::Agents::put_agent(&store, new).await.unwrap() else {
            panic!("the agent was there before")
        };
        Self { store, broker: Arc::default(), tenant, agent, _dir: dir }
    }

    pub fn work(&self, performer: Arc<Scripted>) -> Running {
        self.work_on(Arc::new(self.store.clone()), performer)
    }

    pub fn work_on(&self, store: Arc<dyn Store>, performer: Arc<Scripted>) -> Running {
        self.work_with(store, performer, None)
    }

    pub fn work_with(
        &self,
        store: Arc<dyn Store>,
        performer: Arc<Scripted>,
        apart: Option<Arc<dyn Apart>>,
    ) -> Running {
        self.run(Worker {
            store,
            broker: self.broker.clone(),
            performer,
            metrics: Arc::default(),
            apart,
            config: config(),
        })
    }

    /// A worker with settings of its own, and what it counts.
    pub fn work_as(&self, config: WorkerConfig, performer: Arc<Scripted>) -> (Running, Arc<WorkerMetrics>) {
        let metrics = Arc::<WorkerMetrics>::default();
        let running = self.run(Worker {
            store: Arc::new(self.store.clone()),
            broker: self.broker.clone(),
            performer,
            metrics: metrics.clone(),
            apart: None,
            config,
        });
        (running, metrics)
    }

    /// A worker of any kind.
    pub fn run(&self, worker: Worker) -> Running {
        let stop = Stop::default();
        Running { handle: tokio::spawn(worker.run(stop.clone())), stop }
    }

    pub async fn submit(&self) -> TaskId {
        let task = NewTask {
            id: TaskId(uuid::Uuid::now_v7()),
            tenant: self.tenant,
            agent: self.agent.id,
            agent_version: self.agent.version,
            input: TaskInput::Text("go".into()),
            priority: 5,
            timeout_ms: None,
            parent: None,
            depth: 0,
            metadata: Default::default(),
            created_by: None,
            traceparent: None,
        };
        let created = agenticai_store::Tasks::create_task(
            &self.store,
            CreateTask { task, idempotency: None, thread: None },
        );
        let CreateTaskOutcome::Created(row) = created.await.unwrap() else { panic!("it was there before") };
        self.broker.hint();
        row.head.id
    }

    pub async fn row(&self, task: TaskId) -> TaskRow {
        agenticai_store::Tasks::task(&self.store, self.tenant, task).await.unwrap().unwrap()
    }

    /// Waits until the task has the status; a minute at most, so that a failure ends.
    pub async fn until(&self, task: TaskId, status: TaskStatus) -> TaskRow {
        for _ in 0..6000 {
            let row = self.row(task).await;
            if row.status == status {
                return row;
            }
            assert!(!row.status.is_terminal(), "it ended: {:?}", row.end);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the task does not get {status:?}: {:?}", self.row(task).await);
    }

    pub async fn journal(&self, task: TaskId) -> Vec<Recorded> {
        read_whole_journal(&self.store, self.tenant, task).await.unwrap()
    }
}

/// Waits for a condition; a minute at most.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not happen: {what}");
}

fn tool(name: &str, effect: Effect, builtin: Option<&str>) -> ToolDef {
    let source = match builtin {
        Some(name) => json!({"type": "builtin", "builtin": name}),
        None => json!({"type": "http", "request": {"url": "https://example.com/"}}),
    };
    ToolDef {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({"type": "object"}),
        effect,
        approval: Approval::Never,
        timeout_ms: 1000,
        retry: RetryPolicy::default(),
        max_result_bytes: 1000,
        source: serde_json::from_value::<ToolSource>(source).unwrap(),
    }
}
