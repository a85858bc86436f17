//! API, worker and storage in one process: what `up` keeps and what `run` starts for itself.
//!
//! A start goes: bind the port, open the store (which holds the lock of the data directory), find or make the owner,
//! look for models, assemble the parts, serve. A stop goes the other way round: streams end, steps in flight get the
//! drain time, tasks are handed back, the store is closed.

mod abilities;
pub mod assistant;
mod choice;
mod identity;
mod logging;
mod open_files;
pub mod parts;
mod parts_config;
mod store_metrics;
mod wiring;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commands::Context;
use crate::exit::Failure;
use crate::home::{Home, ServerFile};

pub use choice::{choose, models_of};
pub use logging::start as start_logging;

use agenticai_server::listen::{self, Connections};
use wiring::Parts;

/// Which port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// The configured one and no other.
    Configured,
    /// The configured one, or a free one where another program has it.
    PreferConfigured,
}

/// Why a node did not start.
#[derive(Debug)]
pub enum StartError {
    /// Another process works on the data directory.
    InUse(Failure),
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::InUse(failure) | StartError::Failed(failure) => failure,
        }
    }
}

/// A serving process.
pub struct Node {
    url: String,
    home: Home,
    remarks: Vec<String>,
    model: String,
    connections: Connections,
    closing: CancellationToken,
    serving: Vec<JoinHandle<()>>,
    parts: Parts,
}

/// How long connections may take to end once everything behind them has.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

impl Node {
    /// Starts everything. When it returns, the API answers. `drain` is what steps in flight get at the end.
    pub async fn start(context: &Context, port: Port, drain: Duration) -> Result<Self, StartError> {
        let settings = &context.loaded.settings;
        let wanted = settings.server.port;
        let bound = match listen::bind(wanted).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && port == Port::PreferConfigured => {
                listen::bind(0).await
            }
            bound => bound,
        };
        let (port, listeners) = bound.map_err(|error| {
            let advice = if error.kind() == std::io::ErrorKind::AddrInUse {
                "another program has it: end that, or choose another port with --port (0: a free one)"
                    .to_owned()
            } else {
                error.to_string()
            };
            Failure::failed(format!("port {wanted} cannot be used: {advice}"))
        })?;
        let url = format!("http://localhost:{port}");
        let closing = CancellationToken::new();
        let (parts, router) = wiring::assemble(context, drain, &closing).await?;
        let connections = Connections::default();
        let serving = listeners
            .into_iter()
            .map(|listener| {
                let serve = listen::serve(listener, router.clone(), connections.clone(), closing.clone());
                tokio::spawn(async move {
                    if let Err(error) = serve.await {
                        tracing::error!(%error, "the API stopped serving");
                    }
                })
            })
            .collect();
        let home = context.home.clone();
        if let Err(error) = home.keep_server(&ServerFile { url: url.clone(), pid: std::process::id() }) {
            tracing::warn!(%error, "other commands will look for this server at the usual port only");
        }
        Ok(Self {
            remarks: remarks(context, &parts),
            model: parts.model_line(),
            url,
            home,
            connections,
            closing,
            serving,
            parts,
        })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What its user should know, one line each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Which model `assistant` uses, and why.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns when nobody is connected any more. Somebody who only changes connections does not count as gone.
    pub async fn unused(&self) {
        loop {
            self.connections.none().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.connections.open() == 0 {
                return;
            }
        }
    }

    /// Returns when the worker has ended, which it does by itself only where the store cannot be worked with.
    pub async fn broken(&mut self) -> Failure {
        self.parts.work.broken().await
    }

    /// Stops: steps in flight get the drain time and open `once` calls their own, or less once `hurry` is cancelled;
    /// then tasks are handed back.
    pub async fn stop(mut self, hurry: CancellationToken) {
        self.closing.cancel();
        self.parts.work.drain(hurry).await;
        for serving in self.serving {
            let abort = serving.abort_handle();
            if tokio::time::timeout(LAST_ANSWERS, serving).await.is_err() {
                abort.abort();
            }
        }
        self.home.forget_server();
        self.parts.close().await;
    }
}

fn remarks(context: &Context, parts: &Parts) -> Vec<String> {
    let mut remarks = context.loaded.remarks.clone();
    let home = context.home.path().display();
    if parts.owner.first_start {
        remarks.push(format!("first start: database, owner and API key were created in {home}"));
    }
    if parts.owner.new_key {
        remarks.push(format!(
            "the key file was missing: a new API key lies in {}",
            context.home.key_file().display()
        ));
    }
    if context.loaded.settings.database.url.is_some() {
        remarks.push(
            "database.url is set and not used: `up` keeps everything in the data directory (a cluster's processes are \
             `api`, `worker` and `scheduler`)"
                .to_owned(),
        );
    }
    let allow = &context.loaded.settings.egress_allow;
    if let Some(wide) = allow.iter().find(|entry| matches!(entry.as_str(), "0.0.0.0/0" | "::/0")) {
        remarks.push(format!(
            "egress.allow holds `{wide}`: tools may reach every address, private ones included"
        ));
    }
    remarks
}
