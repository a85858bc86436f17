//! What every role has: a port for its operators, a start that waits, an end in order.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use agenticai_server::listen::{self, Connections};
use agenticai_server::{Standing, admin_router};

use crate::commands::Context;
use crate::exit::{Failure, Result};
use crate::node::start_logging;
use crate::signals::StopSignals;

/// What a process of a cluster does.
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

/// The pause before a stop, where the platform needs one: a pod gets requests until all nodes have heard that it is
/// not ready.
const POD_PRE_STOP: Duration = Duration::from_secs(5);

/// A process of a cluster: its operators' port, and how it is told to stop.
pub struct Process {
    /// What its operators see.
    pub standing: Standing,
    /// Cancelled at the first signal to stop.
    pub stop: CancellationToken,
    /// Cancelled at the second: everything is to end now.
    pub hurry: CancellationToken,
    role: Role,
    admin: Serving,
    pre_stop: Duration,
}

impl Process {
    /// Starts logging, listens to signals, and serves the operators.
    pub fn begin(context: &Context, role: Role) -> Result<Self> {
        start_logging(context, false);
        let settings = &context.loaded.settings;
        let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
        let mut signals = StopSignals::listen();
        tokio::spawn({
            let (stop, hurry) = (stop.clone(), hurry.clone());
            async move {
                signals.next().await;
                stop.cancel();
                signals.next().await;
                hurry.cancel();
            }
        });
        let (port, listener) = bind(settings.cluster.admin_port, "--admin-port")?;
        let standing = Standing::new(settings.cluster.health_timeout);
        let admin = Serving::start(listener, admin_router(standing.clone()), settings.cluster.close_timeout);
        tracing::info!(port, "{} {} serves its operators", role.name(), env!("CARGO_PKG_VERSION"));
        for remark in &context.loaded.remarks {
            tracing::warn!("{remark}");
        }
        let in_pod = context.loaded.environment.contains_key("KUBERNETES_SERVICE_HOST");
        let usual = if role == Role::Api && in_pod { POD_PRE_STOP } else { Duration::ZERO };
        let pre_stop = settings.cluster.pre_stop.unwrap_or(usual);
        Ok(Self { standing, stop, hurry, role, admin, pre_stop })
    }

    /// Says that it is not ready, and waits until nobody sends more.
    pub async fn retire(&self) {
        self.standing.stops();
        tracing::info!(pause_s = self.pre_stop.as_secs(), "{} stops; not ready any more", self.role.name());
        // A second signal says that there is no time for this.
        self.hurry.run_until_cancelled(tokio::time::sleep(self.pre_stop)).await;
    }

    /// Ends the operators' port, which answers to the last.
    pub async fn end(self) {
        self.admin.stop().await;
        tracing::info!("{} has stopped", self.role.name());
    }
}

/// Listens for everybody. `flag` is what chooses the port.
pub fn bind(port: u16, flag: &str) -> Result<(u16, TcpListener)> {
    listen::bind_all(port).map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!(
                    "another program has it: end that, or choose another port with {flag} (0: a free one)"
                )
            }
            _ => error.to_string(),
        };
        Failure::failed(format!("port {port} cannot be used: {advice}"))
    })
}

/// A port that is served.
pub struct Serving {
    close_timeout: Duration,
    closing: CancellationToken,
    task: JoinHandle<()>,
}

impl Serving {
    /// Serves routes on a listener. `close_timeout` is how long its connections may take to end once it stops.
    pub fn start(listener: TcpListener, router: Router, close_timeout: Duration) -> Self {
        let closing = CancellationToken::new();
        let serve = listen::serve(listener, router, Connections::default(), closing.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "a port is served no more");
            }
        });
        Self { close_timeout, closing, task }
    }

    /// Accepts nobody new and gives the connections that are open a moment to end.
    pub async fn stop(self) {
        self.closing.cancel();
        let abort = self.task.abort_handle();
        if tokio::time::timeout(self.close_timeout, self.task).await.is_err() {
            abort.abort();
        }
    }
}
