//! This system: `migrate up`, `admin bootstrap`, then `api`, `worker` and `scheduler` as processes, with their default
//! settings but for what a machine without a network needs: tools may connect to this machine.

use std::time::Duration;

use agenticai_domain::spec::Effect;
use async_trait::async_trait;

use super::system::{Kind, Part, Submission, System};
use crate::api::Api;
use crate::bench::throughput::{job_agent, job_body, react_agent, react_body};
use crate::http::{Http, free_port};
use crate::load::{CountQuery, Counted};
use crate::servers::directory::Directory;
use crate::servers::postgres::{Options, Postgres, TestDatabase};
use crate::servers::process::{Process, Program};
use crate::servers::rabbitmq::RabbitMq;
use crate::servers::redis::Redis;
use crate::stub::Stub;
use crate::up;

/// How a cluster is made.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// PostgreSQL alone, without RabbitMQ and Redis.
    pub alone: bool,
    /// Tasks at once in each worker, where that is not the default.
    pub at_once: Option<u64>,
    /// What the agent's tool has.
    pub effect: Effect,
    /// Processes that work, 4 at most.
    pub workers: usize,
    /// Models are asked for whole answers instead of streams.
    pub whole_answers: bool,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { alone: false, at_once: None, effect: Effect::Idempotent, workers: 1, whole_answers: false }
    }
}

/// A role that runs, and its operators' port.
struct Role {
    process: Process,
    admin: u16,
}

/// A cluster. Its processes are killed when this is dropped.
pub struct Cluster {
    api_role: Role,
    scheduler: Role,
    workers: Vec<Role>,
    api: Api,
    database: TestDatabase,
    // After the roles, which would miss them, and before the directory.
    postgres: Postgres,
    rabbitmq: Option<RabbitMq>,
    redis: Option<Redis>,
    directory: Directory,
}

/// The settings of the provider that the stub plays.
fn provider(stub: &Stub, stream: bool) -> String {
    let url = stub.url();
    format!(
        "[providers.stub]\ndialect = \"openai\"\nurl = \"{url}/v1\"\nserves_any = true\nstream = {stream}\n"
    )
}

impl Cluster {
    /// Starts one whose model and tools are the stub's, with the two agents of the workloads.
    pub async fn start(stub: &Stub, options: ClusterOptions) -> anyhow::Result<Self> {
        let directory = Directory::new("bench")?;
        let postgres = Postgres::start(Options::default()).await?;
        let database = postgres.create_database(None).await?;
        let (rabbitmq, redis) = match options.alone {
            true => (None, None),
            false => (Some(RabbitMq::start().await?), Some(Redis::start().await?)),
        };
        let binary = up::binary()?;
        let settings = directory.path().join("agenticai.toml");
        std::fs::write(&settings, provider(stub, !options.whole_answers))?;
        let program = |name: &'static str, args: &[&str]| {
            let mut program = Program::new(name, &binary, directory.path())
                .args(args.iter().copied())
                .env("DATABASE_URL", &database.url)
                .env("AGENTICAI_CONFIG", settings.to_string_lossy())
                .env("AGENTICAI_EGRESS_ALLOW", "127.0.0.0/8");
            if let Some(rabbitmq) = &rabbitmq {
                program = program.env("RABBITMQ_URL", rabbitmq.url());
            }
            if let Some(redis) = &redis {
                program = program.env("REDIS_URL", redis.url());
            }
            program
        };
        let role = |name, args: &[&str]| -> anyhow::Result<Role> {
            let admin = free_port()?;
            let program = program(name, args).args(["--admin-port", &admin.to_string()]);
            Ok(Role { process: Process::new(program), admin })
        };
        program("migrate", &["migrate", "up"]).run()?;
        let key = directory.path().join("owner.key");
        program("bootstrap", &["admin", "bootstrap", "--key-file", &key.to_string_lossy()]).run()?;
        let port = free_port()?;
        let api_role = role("api", &["api", "--port", &port.to_string()])?;
        let scheduler = role("scheduler", &["scheduler"])?;
        let at_once = options.at_once.map(|n| n.to_string());
        let mut worker = vec!["worker"];
        worker.extend(at_once.iter().flat_map(|n| ["--concurrency", n]));
        let names = ["worker", "worker-2", "worker-3", "worker-4"];
        anyhow::ensure!(options.workers <= names.len(), "at most {} workers", names.len());
        let workers: Vec<Role> = names
            .iter()
            .take(options.workers)
            .map(|name| role(name, &worker))
            .collect::<anyhow::Result<_>>()?;
        let api = Api::new(format!("http://127.0.0.1:{port}"), std::fs::read_to_string(&key)?.trim());
        let cluster =
            Self { api_role, scheduler, workers, api, database, postgres, rabbitmq, redis, directory };
        for role in cluster.roles() {
            role.process.spawn()?;
        }
        for role in cluster.roles() {
            role.ready().await?;
        }
        cluster.api.put_agent(&job_agent()).await?;
        cluster.api.put_agent(&react_agent(&stub.url(), options.effect)).await?;
        Ok(cluster)
    }

    fn roles(&self) -> impl Iterator<Item = &Role> {
        [&self.api_role, &self.scheduler].into_iter().chain(&self.workers)
    }

    /// Makes one more tenant; answers a client of its owner.
    pub async fn add_tenant(&self, name: &str) -> anyhow::Result<Api> {
        let file = self.directory.path().join(format!("{name}.key"));
        Program::new("tenant", up::binary()?, self.directory.path())
            .args(["admin", "tenant", "create", name, "--key-file", &file.to_string_lossy()])
            .env("DATABASE_URL", &self.database.url)
            .run()?;
        Ok(Api::new(self.api.url(), std::fs::read_to_string(&file)?.trim()))
    }

    /// The address of its database.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }
}

impl Role {
    async fn ready(&self) -> anyhow::Result<()> {
        let (http, url) = (Http::default(), format!("http://127.0.0.1:{}/health/ready", self.admin));
        let probe = async || {
            let answer = http.send("GET", &url, &[], "").await?;
            anyhow::ensure!(answer.status.is_success(), "{}", String::from_utf8_lossy(&answer.body));
            Ok(())
        };
        self.process.ready(probe).await
    }
}

#[async_trait]
impl System for Cluster {
    fn submission(&self, kind: Kind) -> Submission {
        let tasks = format!("{}/api/v1/tasks", self.api.url());
        let count = CountQuery {
            url: format!("{tasks}/count?status=pending,running,waiting"),
            field: "count".to_owned(),
            body: String::new(),
            counted: Counted::Left,
            every: Duration::from_millis(5),
        };
        let body = match kind {
            Kind::Noop => job_body(),
            Kind::Agent => react_body(),
        };
        Submission { url: tasks, headers: self.api.headers().to_vec(), body, count }
    }

    fn parts(&self) -> Vec<(Part, &Process)> {
        let mut parts = vec![
            (Part::Api, &self.api_role.process),
            (Part::Scheduler, &self.scheduler.process),
            (Part::Database, self.postgres.process()),
        ];
        parts.extend(self.workers.iter().map(|worker| (Part::Worker, &worker.process)));
        parts.extend(self.rabbitmq.iter().map(|rabbitmq| (Part::Server, rabbitmq.process())));
        parts.extend(self.redis.iter().map(|redis| (Part::Server, redis.process())));
        parts
    }

    fn database(&self) -> Option<&Postgres> {
        Some(&self.postgres)
    }

    fn api(&self) -> Option<&Api> {
        Some(&self.api)
    }

    fn kill_workers(&self) -> anyhow::Result<()> {
        self.workers.iter().try_for_each(|worker| {
            worker.process.kill_9()?;
            worker.process.spawn()
        })
    }
}
