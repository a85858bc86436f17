//! Restate: its server, and a service with the Rust SDK (`bench/peers/restate`).

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::system::{Kind, Part, Submission, System};
use crate::api::Api;
use crate::http::{Http, free_port};
use crate::load::{CountQuery, Counted};
use crate::servers::directory::Directory;
use crate::servers::postgres::Postgres;
use crate::servers::process::{Process, Program};
use crate::stub::Stub;

/// The variables that name its executables.
const SERVER: &str = "BENCH_RESTATE_SERVER";
const SERVICE: &str = "BENCH_RESTATE_SERVICE";

/// A server and its service. Killed when this is dropped.
pub struct Restate {
    ingress: u16,
    admin: u16,
    server: Process,
    service: Process,
    _directory: Directory,
}

impl Restate {
    /// Starts both and makes them known to each other.
    pub async fn start(stub: &Stub) -> anyhow::Result<Self> {
        let directory = Directory::new("restate")?;
        let (ingress, admin, node, listen) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let server = Program::new("restate-server", executable(SERVER)?, directory.path())
            .args(["--no-logo"])
            .env("DO_NOT_TRACK", "1")
            .env("RESTATE_DISABLE_TELEMETRY", "true")
            .env("RESTATE_INGRESS__BIND_ADDRESS", format!("127.0.0.1:{ingress}"))
            .env("RESTATE_ADMIN__BIND_ADDRESS", format!("127.0.0.1:{admin}"))
            .env("RESTATE_BIND_ADDRESS", format!("127.0.0.1:{node}"))
            .env("RESTATE_ADVERTISED_ADDRESS", format!("http://127.0.0.1:{node}"))
            .env("RESTATE_BASE_DIR", directory.make("data")?.display().to_string())
            .env("RESTATE_LISTEN_MODE", "tcp")
            .env("RESTATE_NODE_NAME", "bench")
            .env("RESTATE_LOG_FILTER", "warn")
            // Its default would hold W3 to a thousand.
            .env("RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT", "20000");
        let service = Program::new("restate-service", executable(SERVICE)?, directory.path())
            .env("BENCH_LISTEN", format!("127.0.0.1:{listen}"))
            .env("BENCH_STUB", stub.url());
        let (server, service) = (Process::new(server), Process::new(service));
        server.spawn()?;
        service.spawn()?;
        let http = Http::default();
        for health in [format!("127.0.0.1:{admin}/health"), format!("127.0.0.1:{ingress}/restate/health")] {
            let probe = async || answered(&http, "GET", &format!("http://{health}"), "").await;
            server.ready(probe).await?;
        }
        let body =
            serde_json::json!({"uri": format!("http://127.0.0.1:{listen}"), "force": true}).to_string();
        let url = format!("http://127.0.0.1:{admin}/deployments");
        service.ready(async || answered(&http, "POST", &url, &body).await).await?;
        Ok(Self { ingress, admin, server, service, _directory: directory })
    }
}

async fn answered(http: &Http, method: &str, url: &str, body: &str) -> anyhow::Result<()> {
    let answer = http.send(method, url, &[], body.to_owned()).await?;
    anyhow::ensure!(answer.status.is_success(), "{url}: {}", String::from_utf8_lossy(&answer.body));
    Ok(())
}

/// What a variable names.
pub fn executable(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.ok_or_else(|| anyhow::anyhow!("{variable} is not set: `bench/run` installs the others and sets it"))
}

#[async_trait]
impl System for Restate {
    fn submission(&self, kind: Kind) -> Submission {
        let handler = match kind {
            Kind::Noop => "noop",
            Kind::Agent => "agent",
        };
        let query = "SELECT count(*) AS done FROM sys_invocation WHERE status = 'completed' \
                     AND idempotency_key > '{prefix}-' AND idempotency_key < '{prefix}.'";
        Submission {
            url: format!("http://127.0.0.1:{}/bench/{handler}/send", self.ingress),
            // It forgets what has ended, unless it came with a key.
            headers: vec![("idempotency-key".to_owned(), "{tag}".to_owned())],
            body: r#"{"tag":"{tag}"}"#.to_owned(),
            count: CountQuery {
                url: format!("http://127.0.0.1:{}/query", self.admin),
                field: "done".to_owned(),
                body: serde_json::json!({"query": query}).to_string(),
                counted: Counted::Done,
                every: Duration::from_millis(20),
            },
        }
    }

    fn parts(&self) -> Vec<(Part, &Process)> {
        vec![(Part::Server, &self.server), (Part::Worker, &self.service)]
    }

    fn database(&self) -> Option<&Postgres> {
        None
    }

    fn api(&self) -> Option<&Api> {
        None
    }

    fn kill_workers(&self) -> anyhow::Result<()> {
        self.service.kill_9()?;
        self.service.spawn()
    }
}
