//! Celery behind FastAPI: RabbitMQ carries tasks, PostgreSQL keeps results (`bench/peers/celery`).

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;

use super::restate::executable;
use super::system::{Kind, Part, Submission, System};
use crate::api::Api;
use crate::http::{Http, free_port};
use crate::load::{CountQuery, Counted};
use crate::servers::directory::Directory;
use crate::servers::postgres::{Options, Postgres, USER};
use crate::servers::process::{Process, Program};
use crate::servers::rabbitmq::RabbitMq;
use crate::stub::Stub;

/// The variable that names the directory of its executables.
const BIN: &str = "BENCH_CELERY";

/// The application, as part of this program: it needs no checkout to run in.
const APP: &str = include_str!("../../../../../bench/peers/celery/app.py");

/// How a worker does several tasks at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// In four processes.
    Prefork,
    /// In a hundred greenlets.
    Gevent,
}

/// The application's API and its worker. Killed when this is dropped.
pub struct Celery {
    port: u16,
    api: Process,
    worker: Process,
    postgres: Postgres,
    rabbitmq: RabbitMq,
    _directory: Directory,
}

impl Celery {
    /// Starts all of it.
    pub async fn start(stub: &Stub, pool: Pool) -> anyhow::Result<Self> {
        let directory = Directory::new("celery")?;
        directory.write("app.py", APP)?;
        let bin = executable(BIN)?;
        let (postgres, rabbitmq) = (Postgres::start(Options::default()).await?, RabbitMq::start().await?);
        let database = postgres.create_database(None).await?.name;
        let program = |name: &'static str, path: &Path| {
            Program::new(name, path, directory.path())
                .env("BENCH_PG", format!("{USER}@127.0.0.1:{}/{database}", postgres.port()))
                .env("BENCH_AMQP", format!("amqp://guest:guest@127.0.0.1:{}//", rabbitmq.port()))
                .env("BENCH_STUB", stub.url())
        };
        let port = free_port()?;
        let api = program("celery-api", &bin.join("uvicorn"))
            .args(["app:api", "--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--log-level", "warning", "--no-access-log"]);
        let (name, concurrency, gevent) = match pool {
            Pool::Prefork => ("prefork", "4", "0"),
            Pool::Gevent => ("gevent", "100", "1"),
        };
        let worker = program("celery-worker", &bin.join("celery"))
            .env("CELERY_GEVENT", gevent)
            .args([
                "-A",
                "app:queue",
                "worker",
                "-P",
                name,
                "-c",
                concurrency,
                "-n",
                "w1@localhost",
                "-l",
                "warning",
            ])
            .args(["--without-gossip", "--without-mingle", "--without-heartbeat"]);
        let celery = Self {
            port,
            api: Process::new(api),
            worker: Process::new(worker),
            postgres,
            rabbitmq,
            _directory: directory,
        };
        celery.api.spawn()?;
        celery.worker.spawn()?;
        celery.try_one().await.with_context(|| celery.worker.log_tail())?;
        Ok(celery)
    }

    /// Waits until a task has been done, which also makes the table of results.
    async fn try_one(&self) -> anyhow::Result<()> {
        let http = Http::default();
        let submit = format!("http://127.0.0.1:{}/submit/noop", self.port);
        self.api
            .ready(async || {
                let answer = http.send("POST", &submit, &[], r#"{"tag":"first-1"}"#).await?;
                anyhow::ensure!(answer.status.is_success(), "{}", answer.status);
                Ok(())
            })
            .await?;
        let count = format!("http://127.0.0.1:{}/count?prefix=first", self.port);
        self.worker
            .ready(async || {
                let answer = http.send("GET", &count, &[], "").await?;
                anyhow::ensure!(answer.body.ends_with(b":1}"), "{}", answer.status);
                Ok(())
            })
            .await
    }
}

#[async_trait]
impl System for Celery {
    fn submission(&self, kind: Kind) -> Submission {
        let kind = match kind {
            Kind::Noop => "noop",
            Kind::Agent => "agent",
        };
        Submission {
            url: format!("http://127.0.0.1:{}/submit/{kind}", self.port),
            headers: Vec::new(),
            body: r#"{"tag":"{tag}"}"#.to_owned(),
            count: CountQuery {
                url: format!("http://127.0.0.1:{}/count?prefix={{prefix}}", self.port),
                field: "done".to_owned(),
                body: String::new(),
                counted: Counted::Done,
                every: Duration::from_millis(20),
            },
        }
    }

    fn parts(&self) -> Vec<(Part, &Process)> {
        vec![
            (Part::Api, &self.api),
            (Part::Worker, &self.worker),
            (Part::Database, self.postgres.process()),
            (Part::Server, self.rabbitmq.process()),
        ]
    }

    fn database(&self) -> Option<&Postgres> {
        Some(&self.postgres)
    }

    fn api(&self) -> Option<&Api> {
        None
    }

    fn kill_workers(&self) -> anyhow::Result<()> {
        self.worker.kill_9()?;
        self.worker.spawn()
    }
}
