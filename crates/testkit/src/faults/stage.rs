//! What every run on a cluster begins with and ends with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenticai_wire::BudgetRequest;
use anyhow::Context as _;

use super::meters::{Meters, Sums};
use super::{owners, tables};
use crate::api::Api;
use crate::checker::{self, Accepted, Account, Evidence, Snapshot};
use crate::cluster::{Cluster, ClusterConfig};
use crate::kill::agents;
use crate::kill::rest::{come_to_rest, with_journals};
use crate::stub::{Stub, StubConfig};

/// The budget that pays for every task of a run: it refuses nothing, and has to add up.
const BUDGET: &str = "everything";
const MAX_TOKENS: u64 = 1_000_000_000_000;

/// A cluster with the test's agents on it, and the stub that they talk to.
pub struct Stage {
    /// The model and the tools.
    pub stub: Arc<Stub>,
    /// The processes.
    pub cluster: Arc<Cluster>,
    /// A client of every API.
    pub api: Api,
    dir: PathBuf,
    log: PathBuf,
    meters: Meters,
}

impl Stage {
    /// Starts everything in a directory. `more` changes what the cluster is made of.
    pub async fn set(dir: &Path, more: impl FnOnce(&mut ClusterConfig)) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let log = dir.join("stub.log");
        let stub = Arc::new(Stub::start(&StubConfig {
            latency_ms: 20,
            tool_latency_ms: 20,
            log: Some(log.clone()),
            ..StubConfig::default()
        })?);
        let mut config = ClusterConfig::new(dir, format!("{}/v1", stub.url()));
        config.sql.push(owners::NOTE_OWNERS.to_owned());
        more(&mut config);
        let cluster = Arc::new(Cluster::start(&config).await?);
        let api = cluster.api()?;
        for agent in agents::all(&stub.url()) {
            api.put_agent(&agent).await.with_context(|| format!("agent {}", agent["name"]))?;
        }
        let budget = BudgetRequest {
            name: BUDGET.to_owned(),
            agent: None,
            user: None,
            period: None,
            max_tokens: Some(MAX_TOKENS),
            max_cost_usd: None,
        };
        api.create_budget(&budget).await?;
        let meters = Meters::start(cluster.clone());
        Ok(Self { stub, cluster, api, dir: dir.to_owned(), log, meters })
    }

    /// Waits until every task has ended, and gathers what is to be judged: the tables last, when workers had the time to
    /// mend what is left. `struck` are the process ids of workers that were killed, frozen or cut off.
    pub async fn rest(self, accepted: Vec<Accepted>, struck: &[u32]) -> anyhow::Result<(Ended, Evidence)> {
        if let Err(error) = come_to_rest(&self.api).await {
            keep(&self.cluster, &self.dir);
            return Err(error);
        }
        let calls = checker::read_log(&self.log()?)?;
        let sums = self.meters.stop().await?;
        let tasks = self.api.tasks("").await?;
        let records = with_journals(&self.api, &tasks).await?;
        let mut last = tables::snapshot(&self.cluster, true).await?;
        tables::listen(&self.cluster, &self.api, &mut last).await?;
        let evidence = Evidence {
            tasks: records,
            accepted,
            calls,
            effects: agents::effects(),
            owners: owners::read(&self.cluster, struck).await?,
            snapshots: vec![last],
            account: Some(account(&self.api).await?),
            ..Evidence::default()
        };
        let ended = Ended { tasks, sums, cluster: self.cluster, dir: self.dir };
        Ok((ended, evidence))
    }

    /// The stub's log, with every line that it has written so far.
    pub fn log(&self) -> anyhow::Result<PathBuf> {
        self.stub.sync_log()?;
        Ok(self.log.clone())
    }

    /// Where every task is now.
    pub async fn snapshot(&self) -> anyhow::Result<Snapshot> {
        tables::snapshot(&self.cluster, false).await
    }
}

/// The account of the budget once nothing of it is reserved, or after half a minute as it stands.
async fn account(api: &Api) -> anyhow::Result<Account> {
    let begun = Instant::now();
    loop {
        let view = api.budget(BUDGET).await?;
        if view.reserved.tokens == 0 || begun.elapsed() > Duration::from_secs(30) {
            return Ok(Account {
                max_tokens: MAX_TOKENS,
                spent_tokens: view.spent.tokens,
                reserved_tokens: view.reserved.tokens,
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A run that has come to rest.
pub struct Ended {
    /// Every task as the API shows it.
    pub tasks: Vec<agenticai_wire::TaskView>,
    /// What the workers counted.
    pub sums: Sums,
    cluster: Arc<Cluster>,
    dir: PathBuf,
}

impl Ended {
    /// How many incarnations of workers were declared dead although they had not ended by themselves.
    pub async fn declared_dead(&self) -> anyhow::Result<i64> {
        let client = self.cluster.connect().await?;
        let sql = "SELECT count(*) FROM workers WHERE state > 0";
        Ok(client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// Prints the faults. An error if there are any: the database is kept beside the logs.
    pub fn conclude(&self, faults: &[String], what: &str) -> anyhow::Result<()> {
        faults.iter().take(50).for_each(|fault| println!("  FAULT {fault}"));
        if faults.is_empty() {
            return Ok(());
        }
        keep(&self.cluster, &self.dir);
        if faults.iter().all(|fault| fault.starts_with(VOID)) {
            return Err(anyhow::Error::new(Void(faults.len())));
        }
        let broken = Broken { what: what.to_owned(), faults: faults.len(), dir: self.dir.clone() };
        Err(anyhow::Error::new(broken))
    }
}

/// A run in which promises were broken.
#[derive(Debug)]
pub struct Broken {
    what: String,
    faults: usize,
    dir: PathBuf,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} faults in {}; evidence in {}", self.faults, self.what, self.dir.display())
    }
}

impl std::error::Error for Broken {}

/// How a fault begins that only says that a run hit too little.
pub const VOID: &str = "void: ";

/// A run that broke no promise and proves nothing, because it hit too little: what the machine does meanwhile is its own
/// affair. Another one may hit more.
#[derive(Debug)]
pub struct Void(usize);

impl std::fmt::Display for Void {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the run is void for {} reasons", self.0)
    }
}

impl std::error::Error for Void {}

/// Keeps the database beside the logs.
fn keep(cluster: &Cluster, dir: &Path) {
    if let Err(error) = cluster.dump(&dir.join("database.sql")) {
        println!("  the database could not be kept: {error:#}");
    }
}

/// One line of a report.
pub fn row(what: &str, n: impl std::fmt::Display) {
    println!("  {what:<58}{n:>10}");
}
