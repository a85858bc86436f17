//! A master with a replica, and three sentinels that replace it.

use std::time::{Duration, Instant};

use super::{Directory, IN_MEMORY, Node, Process, Tls};
use crate::http::free_port;
use crate::servers::tls::Authority;

/// The name by which sentinels know the group.
const NAME: &str = "agenticai";

/// How long the group may take to be complete, and a failover to be done.
const WITHIN: Duration = Duration::from_secs(60);

/// A master, a replica and three sentinels. All killed when this is dropped.
pub struct RedisSentinel {
    servers: Vec<Node>,
    sentinels: Vec<Node>,
    tls: bool,
    _directory: Directory,
}

impl RedisSentinel {
    /// Starts a group whose sentinels fail over after a second, and waits until they know each other.
    pub async fn start(authority: Option<&Authority>) -> anyhow::Result<Self> {
        let directory = Directory::new("redis-sentinel")?;
        let tls = authority.map(|authority| Tls::write(authority, &directory)).transpose()?;
        let tls = tls.as_ref();
        let master =
            Node::start(&directory.path().join("master"), free_port()?, tls, IN_MEMORY, false).await?;
        let follow = format!("{IN_MEMORY}replicaof 127.0.0.1 {}\nrepl-diskless-sync-delay 0\n", master.port);
        let replica =
            Node::start(&directory.path().join("replica"), free_port()?, tls, &follow, false).await?;
        let watch = format!(
            "sentinel monitor {NAME} 127.0.0.1 {} 2\nsentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 10000\n",
            master.port
        );
        let mut sentinels = Vec::new();
        for number in 1..=3 {
            let dir = directory.path().join(format!("sentinel{number}"));
            sentinels.push(Node::start(&dir, free_port()?, tls, &watch, true).await?);
        }
        let group =
            Self { servers: vec![master, replica], sentinels, tls: tls.is_some(), _directory: directory };
        group.complete().await?;
        Ok(group)
    }

    /// Waits until every sentinel knows the two others and the replica, which is when a failover can succeed.
    async fn complete(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let complete = self.sentinels.iter().all(|sentinel| {
                let said = sentinel.cli(&["INFO", "sentinel"]).unwrap_or_default();
                said.contains("slaves=1") && said.contains("sentinels=3")
            });
            let linked = self.servers[1].cli(&["INFO", "replication"])?.contains("master_link_status:up");
            if complete && linked {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < WITHIN, "the sentinels do not find each other");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The name of the group.
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The sentinels' addresses.
    pub fn sentinel_urls(&self) -> Vec<String> {
        let scheme = if self.tls { "rediss://localhost" } else { "redis://127.0.0.1" };
        self.sentinels.iter().map(|sentinel| format!("{scheme}:{}", sentinel.port)).collect()
    }

    /// Asks master and replica with `redis-cli`.
    pub fn cli_servers(&self, args: &[&str]) -> anyhow::Result<()> {
        self.servers.iter().try_for_each(|server| server.cli(args).map(drop))
    }

    /// Asks every sentinel with `redis-cli`.
    pub fn cli_sentinels(&self, args: &[&str]) -> anyhow::Result<()> {
        self.sentinels.iter().try_for_each(|sentinel| sentinel.cli(args).map(drop))
    }

    /// The process that is the master at the start.
    pub fn first_master(&self) -> &Process {
        &self.servers[0].process
    }

    /// Waits until the sentinels name another master than that of the start.
    pub async fn failed_over(&self) -> anyhow::Result<()> {
        let (first, began) = (self.servers[0].port.to_string(), Instant::now());
        loop {
            let named = self.sentinels[0].cli(&["SENTINEL", "get-master-addr-by-name", NAME])?;
            let role = self.servers[1].cli(&["ROLE"])?;
            if !named.contains(&first) && role.starts_with("master") {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < WITHIN, "the sentinels do not fail over: they name {named}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
