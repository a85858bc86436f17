//! One process of the binary in a cluster.

use std::path::Path;
use std::time::Duration;

use crate::http::{Http, free_port};
use crate::servers::process::{Process, Program};
use crate::servers::proxy::Proxy;
use crate::up::binary;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves the HTTP API.
    Api,
    /// Advances tasks.
    Worker,
    /// Does what has its time.
    Scheduler,
}

impl Role {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }
}

/// A process, its ports, and its way to the database.
pub struct Node {
    /// Its role and number: `worker-2`. Its log is named for it.
    pub name: String,
    /// Its way to PostgreSQL, which nobody else uses.
    pub database_link: Proxy,
    port: u16,
    admin_port: u16,
    http: Http,
    process: Process,
}

impl Node {
    /// Starts one and waits until it is ready.
    pub(super) async fn start(
        role: Role,
        number: usize,
        port: u16,
        dir: &Path,
        env: &[(String, String)],
        database_link: Proxy,
    ) -> anyhow::Result<Self> {
        let (name, admin_port) = (format!("{}-{number}", role.name()), free_port()?);
        let mut program = Program::new(name.as_str(), binary()?, dir).args([role.name()]);
        if role == Role::Api {
            program = program.args(["--port".to_owned(), port.to_string()]);
        }
        program = program.args(["--admin-port".to_owned(), admin_port.to_string()]);
        program.env.extend(env.iter().cloned());
        let process = Process::new(program);
        let node = Self { name, database_link, port, admin_port, http: Http::default(), process };
        node.restart().await?;
        Ok(node)
    }

    /// Starts it again after its end, on the same ports, and waits until it is ready.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.process.spawn()?;
        let url = format!("http://127.0.0.1:{}/health/ready", self.admin_port);
        self.process.ready(async || self.http.expect_ready(&url).await).await
    }

    /// Its process: to kill, freeze, continue and end it.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Address of its API, if it is one.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Port of its API, if it is one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it prints under `/metrics`; an error where it does not answer at once.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin_port);
        let asked = self.http.send("GET", &url, &[], "");
        let answer = tokio::time::timeout(Duration::from_millis(500), asked).await??;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }
}
