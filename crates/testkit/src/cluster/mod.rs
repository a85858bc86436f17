//! A cluster of real processes on this machine: PostgreSQL, RabbitMQ, Redis, and any number of `api`, `worker` and
//! `scheduler`, each with its log, to be killed, frozen, cut off and started again.
//!
//! Every process reaches PostgreSQL through a proxy of its own, so that one alone can be cut off; queue and cache have
//! one proxy each.

mod node;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio_postgres::NoTls;

use crate::api::Api;
use crate::http::free_port;
use crate::servers::postgres::{self, Postgres};
use crate::servers::process::Program;
use crate::servers::proxy::Proxy;
use crate::servers::rabbitmq::RabbitMq;
use crate::servers::redis::Redis;
use crate::up::binary;

pub use node::{Node, Role};

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Where logs and the key lie.
    pub dir: PathBuf,
    /// How many `api`.
    pub apis: usize,
    /// How many `worker`.
    pub workers: usize,
    /// How many `scheduler`.
    pub schedulers: usize,
    /// Address of the model.
    pub model: String,
    /// More of the environment of every process.
    pub env: Vec<(String, String)>,
    /// SQL that is run after the migrations, in this order: what a test wants written down, faults that are planted on
    /// purpose.
    pub sql: Vec<String>,
}

impl ClusterConfig {
    /// Two `api`, three `worker`, one `scheduler`.
    pub fn new(dir: &Path, model: String) -> Self {
        let (env, sql) = (Vec::new(), Vec::new());
        Self { dir: dir.to_owned(), apis: 2, workers: 3, schedulers: 1, model, env, sql }
    }
}

/// A cluster that runs. Dropped, it is killed; the directory of logs stays.
pub struct Cluster {
    /// Each `api`. Nodes stand before the servers, so that they are dropped first.
    pub apis: Vec<Node>,
    /// Each `worker`.
    pub workers: Vec<Node>,
    /// Each `scheduler`.
    pub schedulers: Vec<Node>,
    /// The way to RabbitMQ.
    pub queue_link: Proxy,
    /// The way to Redis.
    pub cache_link: Proxy,
    /// The database.
    pub postgres: Postgres,
    /// The queue.
    pub rabbitmq: RabbitMq,
    /// The cache.
    pub redis: Redis,
    database: String,
    key: String,
    dir: PathBuf,
    env: Vec<(String, String)>,
}

impl Cluster {
    /// Starts everything, migrates, makes the first tenant, and waits until every process is ready.
    pub async fn start(config: &ClusterConfig) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.dir)?;
        let (postgres, rabbitmq, redis) = tokio::try_join!(
            Postgres::start(postgres::Options::default()),
            RabbitMq::start(),
            Redis::start()
        )?;
        let database = postgres.create_database(None).await?.name;
        let (queue_link, cache_link) =
            tokio::try_join!(Proxy::start(rabbitmq.port()), Proxy::start(redis.port()))?;
        let mut env = vec![
            ("RABBITMQ_URL".to_owned(), format!("amqp://guest:guest@127.0.0.1:{}/%2f", queue_link.port())),
            ("REDIS_URL".to_owned(), format!("redis://127.0.0.1:{}", cache_link.port())),
            ("AGENTICAI_MODEL_URL".to_owned(), config.model.clone()),
            // The tools of the tests are on this machine.
            ("AGENTICAI_EGRESS_ALLOW".to_owned(), "127.0.0.0/8".to_owned()),
        ];
        env.extend(config.env.iter().cloned());

        let url = postgres.url(&database);
        let key_file = config.dir.join("owner-key");
        let once = |args: &[&str]| {
            let program = Program::new("agenticai", binary()?, &config.dir).args(args.iter().copied());
            program.env("DATABASE_URL", url.as_str()).run()
        };
        once(&["migrate", "up"])?;
        once(&["admin", "bootstrap", "--key-file", &key_file.to_string_lossy()])?;
        let key = std::fs::read_to_string(&key_file).context("the owner's key was not written")?;
        let client = connect(&url).await?;
        for sql in &config.sql {
            client.batch_execute(sql).await.with_context(|| format!("SQL after the migrations: {sql}"))?;
        }
        drop(client);

        let start = async |role, count| {
            let mut nodes = Vec::new();
            for number in 1..=count {
                let place = Place { postgres: &postgres, database: &database, dir: &config.dir, env: &env };
                nodes.push(place.start(role, number, free_port()?).await?);
            }
            anyhow::Ok(nodes)
        };
        let (apis, workers, schedulers) = tokio::try_join!(
            start(Role::Api, config.apis),
            start(Role::Worker, config.workers),
            start(Role::Scheduler, config.schedulers)
        )?;
        let key = key.trim().to_owned();
        Ok(Self {
            apis,
            workers,
            schedulers,
            queue_link,
            cache_link,
            postgres,
            rabbitmq,
            redis,
            database,
            key,
            dir: config.dir.clone(),
            env,
        })
    }

    /// Starts one more process, with this port if it is an API, and waits until it is ready. It is no part of the cluster:
    /// whoever has it ends it.
    pub async fn start_more(&self, role: Role, number: usize, port: u16) -> anyhow::Result<Node> {
        let place =
            Place { postgres: &self.postgres, database: &self.database, dir: &self.dir, env: &self.env };
        place.start(role, number, port).await
    }

    /// A client of every `api`, in turn.
    pub fn api(&self) -> anyhow::Result<Api> {
        let mut urls = self.apis.iter().map(Node::url);
        let first = urls.next().context("the cluster has no api")?;
        Ok(urls.fold(self.api_at(first), Api::or))
    }

    /// A client of the address that stands before the cluster.
    pub fn api_at(&self, url: impl Into<String>) -> Api {
        Api::new(url, &self.key)
    }

    /// Every process of the binary.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.apis.iter().chain(&self.workers).chain(&self.schedulers)
    }

    /// A connection to the database that passes no proxy.
    pub async fn connect(&self) -> anyhow::Result<tokio_postgres::Client> {
        connect(&self.url()).await
    }

    /// The database's address, past the proxies.
    pub fn url(&self) -> String {
        self.postgres.url(&self.database)
    }

    /// Writes the whole database to a file that `psql` reads: evidence.
    pub fn dump(&self, file: &Path) -> anyhow::Result<()> {
        let dir = file.parent().context("a file lies in a directory")?;
        Program::new("pg_dump", postgres::bin()?.join("pg_dump"), dir)
            .args(["-f", &file.to_string_lossy(), &self.url()])
            .run()
    }
}

/// Where a process of a cluster is started.
struct Place<'a> {
    postgres: &'a Postgres,
    database: &'a str,
    dir: &'a Path,
    env: &'a [(String, String)],
}

impl Place<'_> {
    async fn start(&self, role: Role, number: usize, port: u16) -> anyhow::Result<Node> {
        let link = Proxy::start(self.postgres.port()).await?;
        let own = format!("postgres://{}@127.0.0.1:{}/{}", postgres::USER, link.port(), self.database);
        let mut env = self.env.to_vec();
        env.push(("DATABASE_URL".to_owned(), own));
        Node::start(role, number, port, self.dir, &env, link).await
    }
}

async fn connect(url: &str) -> anyhow::Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
