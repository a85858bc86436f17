//! Redis: one server, a group under Sentinel, a cluster; each with or without TLS.

mod cluster;
mod sentinel;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::directory::Directory;
use super::process::{Process, Program};
use super::tls::Authority;
use crate::http::free_port;

pub use cluster::RedisCluster;
pub use sentinel::RedisSentinel;

/// Files of TLS for servers and for `redis-cli`, which shows the server's certificate as its own.
struct Tls {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Tls {
    fn write(authority: &Authority, directory: &Directory) -> anyhow::Result<Self> {
        let server = authority.server()?;
        Ok(Self {
            authority: directory.write("ca.pem", authority.certificate())?,
            certificate: directory.write("server.pem", &server.certificate)?,
            key: directory.write("server.key", &server.key)?,
        })
    }

    fn settings(&self) -> String {
        format!(
            "tls-ca-cert-file {}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients optional\n\
             tls-replication yes\ntls-cluster yes\n",
            self.authority.display(),
            self.certificate.display(),
            self.key.display()
        )
    }
}

/// One process of Redis, in a directory within that of its group.
struct Node {
    port: u16,
    process: Process,
    authority: Option<PathBuf>,
}

impl Node {
    /// Starts a process with `settings` after those that all have.
    async fn start(
        dir: &Path,
        port: u16,
        tls: Option<&Tls>,
        settings: &str,
        sentinel: bool,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let listen = match tls {
            Some(tls) => format!("port 0\ntls-port {port}\n{}", tls.settings()),
            None => format!("port {port}\n"),
        };
        // Sentinel rewrites its file, so each process has its own.
        let common = format!("bind 127.0.0.1\ndir {}\n{listen}", dir.display());
        std::fs::write(dir.join("redis.conf"), common + settings)?;
        let mut program = Program::new("redis-server", "redis-server", dir).args(["redis.conf"]);
        if sentinel {
            program = program.args(["--sentinel"]);
        }
        let authority = tls.map(|tls| tls.authority.clone());
        let node = Self { port, process: Process::new(program), authority };
        node.restart().await?;
        Ok(node)
    }

    async fn restart(&self) -> anyhow::Result<()> {
        self.process.spawn()?;
        self.process.ready(async || self.cli(&["PING"]).map(drop)).await
    }

    /// Asks it with `redis-cli`; answers what that prints.
    fn cli(&self, args: &[&str]) -> anyhow::Result<String> {
        // It would wait for ever for a frozen server, or for a cluster that does not agree.
        let mut command = Command::new("timeout");
        command
            .args(["30", "redis-cli", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-e"])
            .stdin(Stdio::null());
        if let Some(authority) = &self.authority {
            command.args(["--tls", "--cacert"]).arg(authority);
        }
        let output =
            command.args(args).output().context("redis-cli is missing: `./test install` installs it")?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        anyhow::ensure!(output.status.success(), "redis-cli {args:?}: {said}");
        Ok(said)
    }
}

/// The settings of a server whose data need not outlive it.
const IN_MEMORY: &str = "save \"\"\nappendonly no\n";

/// A single server. Killed when this is dropped.
pub struct Redis {
    node: Node,
    _directory: Directory,
}

impl Redis {
    /// Starts one that keeps everything in memory, and waits until it answers.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(None).await
    }

    /// Starts one that speaks TLS only, with a certificate of `authority`.
    pub async fn start_tls(authority: &Authority) -> anyhow::Result<Self> {
        Self::start_with(Some(authority)).await
    }

    async fn start_with(authority: Option<&Authority>) -> anyhow::Result<Self> {
        let directory = Directory::new("redis")?;
        let tls = authority.map(|authority| Tls::write(authority, &directory)).transpose()?;
        let node = Node::start(directory.path(), free_port()?, tls.as_ref(), IN_MEMORY, false).await?;
        Ok(Self { node, _directory: directory })
    }

    /// Starts it again after [`Process::kill_9`], on the same port, and waits until it answers.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.node.restart().await
    }

    /// Its process: to kill, freeze and continue it.
    pub fn process(&self) -> &Process {
        &self.node.process
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.node.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        match self.node.authority {
            Some(_) => format!("rediss://localhost:{}", self.node.port),
            None => format!("redis://127.0.0.1:{}", self.node.port),
        }
    }

    /// Asks it with `redis-cli`; answers what that prints.
    pub fn cli(&self, args: &[&str]) -> anyhow::Result<String> {
        self.node.cli(args)
    }
}
