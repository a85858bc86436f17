//! Which servers there are, and their sessions.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use agenticai_domain::spec::McpServerRef;
use serde::Deserialize;
use tokio::time::Instant;

use super::session::Session;
use crate::secrets::{SecretError, Secrets};
use crate::tools::http::HttpClient;
use crate::tools::redact::Redactor;
use crate::tools::retry::{Attempt, Failure};

/// A session that nobody uses is closed after this time.
const IDLE: Duration = Duration::from_secs(600);
/// How often idle sessions are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// Bound on the pause between attempts to open a session that cannot be opened.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// A server that the operator's configuration names: `command` (with `env`) or `url` (with `headers`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct McpServerConfig {
    /// Program and arguments.
    pub command: Option<Vec<String>>,
    /// The program's whole environment besides `PATH`; values may hold `${secret:NAME}`.
    pub env: BTreeMap<String, String>,
    /// Where the server speaks streamable HTTP.
    pub url: Option<String>,
    /// Sent with every request; values may hold `${secret:NAME}`.
    pub headers: BTreeMap<String, String>,
}

/// Where a server is, with its secrets resolved. It has no `Debug`, so that it cannot be logged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Stdio { command: Vec<String>, env: BTreeMap<String, String> },
    Http { url: String, headers: BTreeMap<String, String> },
}

/// Why a server may not or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("{0}")]
    Unknown(String),
    #[error(
        "programs are started only by a server that listens on this machine alone, or where its configuration names \
         them: ask the operator to add the server to `mcp_servers` and write `mcp: {{server: NAME}}`"
    )]
    NotAllowed,
    #[error("name exactly one of `command`, `url` and `server`")]
    Ambiguous,
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl From<EndpointError> for Failure {
    fn from(error: EndpointError) -> Self {
        let code = if matches!(error, EndpointError::Secret(_)) { "secret_missing" } else { "bad_request" };
        Self::new(code, error.to_string())
    }
}

/// All sessions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Servers(Arc<Inner>);

struct Inner {
    configured: BTreeMap<String, McpServerConfig>,
    allow_stdio: bool,
    secrets: Secrets,
    http: HttpClient,
    slots: Mutex<HashMap<Endpoint, Arc<Slot>>>,
}

/// The place of one session. Its lock is held while the session is opened, so that it is opened once.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<SlotState>);

#[derive(Default)]
struct SlotState {
    session: Option<Arc<Session>>,
    failures: u32,
    not_before: Option<Instant>,
    used: Option<Instant>,
}

impl Servers {
    pub fn new(
        configured: BTreeMap<String, McpServerConfig>,
        allow_stdio: bool,
        secrets: Secrets,
        http: HttpClient,
    ) -> Self {
        Self(Arc::new(Inner { configured, allow_stdio, secrets, http, slots: Mutex::default() }))
    }

    /// Finds out where a server is, and whether it may be used. Secrets are resolved and noted in `redactor`.
    pub fn endpoint(
        &self,
        server: &McpServerRef,
        redactor: &mut Redactor,
    ) -> Result<super::Server, EndpointError> {
        let inner = &self.0;
        let (config, by_operator) = match (&server.command, &server.url, &server.server) {
            (None, None, Some(name)) => {
                (inner.configured.get(name).ok_or_else(|| self.unknown(name))?.clone(), true)
            }
            (command, url, None) => {
                let (command, url) = (command.clone(), url.clone());
                let (env, headers) = (server.env.clone(), server.headers.clone());
                (McpServerConfig { command, env, url, headers }, false)
            }
            _ => return Err(EndpointError::Ambiguous),
        };
        let secrets = &inner.secrets;
        let endpoint = match (config.command, config.url) {
            (Some(_), None) if !by_operator && !inner.allow_stdio => return Err(EndpointError::NotAllowed),
            (Some(command), None) => {
                Endpoint::Stdio { command, env: redactor.resolve_map(secrets, &config.env)? }
            }
            (None, Some(url)) => Endpoint::Http {
                url: redactor.resolve(secrets, &url)?,
                headers: redactor.resolve_map(secrets, &config.headers)?,
            },
            _ => return Err(EndpointError::Ambiguous),
        };
        Ok(super::Server { servers: self.clone(), endpoint })
    }

    fn unknown(&self, name: &str) -> EndpointError {
        let known: Vec<_> = self.0.configured.keys().map(|known| format!("`{known}`")).collect();
        let known =
            if known.is_empty() { "names none".to_owned() } else { format!("names {}", known.join(", ")) };
        EndpointError::Unknown(format!(
            "no MCP server is named `{name}`: the operator's configuration (`mcp_servers`) {known}"
        ))
    }

    /// The open session, or a new one. Waits where the last attempts to open it failed.
    pub(super) async fn session(&self, endpoint: &Endpoint) -> Result<Arc<Session>, Attempt> {
        let slot = self.slot(endpoint);
        let mut state = slot.0.lock().await;
        state.used = Some(Instant::now());
        if let Some(session) = state.session.as_ref().filter(|session| !session.is_closed()) {
            return Ok(session.clone());
        }
        state.session = None;
        if let Some(at) = state.not_before {
            tokio::time::sleep_until(at).await;
        }
        match Session::open(endpoint, &self.0.http).await {
            Ok(session) => {
                let session = Arc::new(session);
                *state =
                    SlotState { session: Some(session.clone()), used: state.used, ..SlotState::default() };
                Ok(session)
            }
            Err(failed) => {
                state.failures = state.failures.saturating_add(1);
                let pause = Duration::from_millis(250 << state.failures.min(6)).min(MAX_BACKOFF);
                state.not_before = Some(Instant::now() + pause);
                Err(failed)
            }
        }
    }

    /// Drops a session that turned out to be of no more use, if it is still the current one.
    pub(super) async fn forget(&self, endpoint: &Endpoint, session: &Arc<Session>) {
        let slot = self.slot(endpoint);
        let mut state = slot.0.lock().await;
        if state.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            state.session = None;
        }
    }

    fn slot(&self, endpoint: &Endpoint) -> Arc<Slot> {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.is_empty() {
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
        slots.entry(endpoint.clone()).or_default().clone()
    }
}

/// Closes idle sessions until there are none, or nobody could ask for them any more.
async fn sweep(servers: Weak<Inner>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(inner) = servers.upgrade() else { return };
        let mut slots = inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            // A place that somebody holds, or whose session is in use, is not idle.
            let Ok(state) = slot.0.try_lock() else { return true };
            let busy = state.session.as_ref().is_some_and(|session| Arc::strong_count(session) > 1);
            busy || Arc::strong_count(slot) > 1 || state.used.is_some_and(|used| used.elapsed() < IDLE)
        });
        if slots.is_empty() {
            return;
        }
    }
}
