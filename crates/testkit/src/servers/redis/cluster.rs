//! A cluster of three masters with a replica each.

use std::time::{Duration, Instant};

use super::{Directory, IN_MEMORY, Node, Process, Tls};
use crate::http::free_port;
use crate::servers::tls::Authority;

/// Nodes: three masters, then their replicas.
const NODES: usize = 6;

/// How long the cluster may take to agree.
const WITHIN: Duration = Duration::from_secs(60);

/// Six nodes. All killed when this is dropped.
pub struct RedisCluster {
    nodes: Vec<Node>,
    tls: bool,
    _directory: Directory,
}

impl RedisCluster {
    /// Starts the nodes, joins them, and waits until all slots are served.
    pub async fn start(authority: Option<&Authority>) -> anyhow::Result<Self> {
        let directory = Directory::new("redis-cluster")?;
        let tls = authority.map(|authority| Tls::write(authority, &directory)).transpose()?;
        let mut nodes = Vec::new();
        for number in 1..=NODES {
            let settings = format!(
                "{IN_MEMORY}cluster-enabled yes\ncluster-port {}\ncluster-node-timeout 1000\n\
                 repl-diskless-sync-delay 0\n",
                free_port()?
            );
            let dir = directory.path().join(format!("node{number}"));
            nodes.push(Node::start(&dir, free_port()?, tls.as_ref(), &settings, false).await?);
        }
        let cluster = Self { nodes, tls: tls.is_some(), _directory: directory };
        let mut join = vec!["--cluster".to_owned(), "create".to_owned()];
        join.extend(cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        join.extend(["--cluster-replicas", "1", "--cluster-yes"].map(str::to_owned));
        let join: Vec<&str> = join.iter().map(String::as_str).collect();
        cluster.nodes[0].cli(&join)?;
        cluster.complete().await?;
        Ok(cluster)
    }

    async fn complete(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let agreed = self.nodes.iter().all(|node| {
                let said = node.cli(&["CLUSTER", "INFO"]).unwrap_or_default();
                said.contains("cluster_state:ok") && said.contains("cluster_known_nodes:6")
            });
            let linked = self.nodes.iter().all(|node| {
                let said = node.cli(&["INFO", "replication"]).unwrap_or_default();
                said.contains("master_link_status:up") || said.contains("connected_slaves:1")
            });
            if agreed && linked {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < WITHIN, "the nodes of the cluster do not agree");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The nodes' addresses.
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.tls { "rediss://127.0.0.1" } else { "redis://127.0.0.1" };
        self.nodes.iter().map(|node| format!("{scheme}:{}", node.port)).collect()
    }

    /// Asks every node with `redis-cli`.
    pub fn cli(&self, args: &[&str]) -> anyhow::Result<()> {
        self.nodes.iter().try_for_each(|node| node.cli(args).map(drop))
    }

    /// The process of a node; the first three are the masters of the start.
    pub fn process(&self, node: usize) -> &Process {
        &self.nodes[node].process
    }

    /// Starts a node again after [`Process::kill_9`], on its port, and waits until it answers.
    pub async fn restart(&self, node: usize) -> anyhow::Result<()> {
        self.nodes[node].restart().await
    }
}
