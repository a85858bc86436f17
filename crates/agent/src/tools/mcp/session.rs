//! One session with an MCP server: opening it, and what is known when that fails.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use process_wrap::tokio::{CommandWrap, KillOnDrop, ProcessGroup};
use rmcp::ServiceExt;
use rmcp::service::{ClientInitializeError, Peer, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::TokioChildProcess;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStderr, Command};
use url::Url;

use super::call::transport_failed;
use super::client::HttpTransportClient;
use super::handler::Handler;
use super::servers::Endpoint;
use crate::tools::egress::Admission;
use crate::tools::http::{HttpClient, check_header_name, refused};
use crate::tools::retry::{Attempt, Failure};

/// Starting a program may include fetching it (`npx`).
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// The server answers one message at a time; longer ones are refused by the transport.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// An open session. Dropping it ends the server's process group, or the connection.
pub(super) struct Session {
    running: RunningService<RoleClient, Handler>,
    _admission: Option<Admission>,
}

impl Session {
    /// Opens a session. Nothing that has an effect has been sent when this fails.
    pub async fn open(endpoint: &Endpoint, http: &HttpClient) -> Result<Self, Attempt> {
        let opening = async {
            match endpoint {
                Endpoint::Stdio { .. } => open_stdio(endpoint).await,
                Endpoint::Http { .. } => open_http(endpoint, http).await,
            }
        };
        tokio::time::timeout(OPEN_TIMEOUT, opening).await.unwrap_or_else(|_| {
            let message = format!("the MCP server was not ready within {} s", OPEN_TIMEOUT.as_secs());
            Err(Attempt::NotSent(Failure::new("unreachable", message)))
        })
    }

    pub fn peer(&self) -> &Peer<RoleClient> {
        self.running.peer()
    }

    pub fn is_closed(&self) -> bool {
        self.running.is_closed() || self.running.peer().is_transport_closed()
    }
}

async fn open_stdio(endpoint: &Endpoint) -> Result<Session, Attempt> {
    let Endpoint::Stdio { command, env } = endpoint else { return Err(no_program()) };
    let (program, arguments) = command.split_first().ok_or_else(no_program)?;
    let mut child = Command::new(program);
    child.args(arguments).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        child.env("PATH", path);
    }
    child.envs(env);
    let mut wrapped = CommandWrap::from(child);
    wrapped.wrap(ProcessGroup::leader()).wrap(KillOnDrop);
    let (transport, stderr) =
        TokioChildProcess::builder(wrapped).stderr(Stdio::piped()).spawn().map_err(|error| {
            Attempt::NotSent(Failure::new(
                "unreachable",
                format!("the MCP server `{program}` cannot be started: {error}"),
            ))
        })?;
    if let Some(stderr) = stderr {
        tokio::spawn(drain(program.clone(), stderr));
    }
    let running = Handler.serve(transport).await.map_err(opening_failed)?;
    Ok(Session { running, _admission: None })
}

fn no_program() -> Attempt {
    Attempt::failed("bad_request", "the MCP server has no program to start")
}

/// A server that nobody listens to would block as soon as the pipe is full.
async fn drain(program: String, stderr: ChildStderr) {
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        tracing::debug!(server = program, "{}", String::from_utf8_lossy(&line));
    }
}

async fn open_http(endpoint: &Endpoint, http: &HttpClient) -> Result<Session, Attempt> {
    let Endpoint::Http { url, headers } = endpoint else { return Err(no_program()) };
    let parsed = Url::parse(url).map_err(|error| {
        Attempt::failed("bad_request", format!("the MCP server's URL is not valid: {error}"))
    })?;
    // Held as long as the session: the SDK sends its requests itself, and always to this host.
    let admission = http.gate().admit(&parsed).await.map_err(refused)?;
    let mut custom = HashMap::new();
    for (name, value) in headers {
        let bad = |message: String| Attempt::failed("bad_request", message);
        let parsed: HeaderName = check_header_name(name).map_err(bad)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            bad(format!("the value of the header `{name}` holds characters that no header may hold"))
        })?;
        value.set_sensitive(true);
        custom.insert(parsed, value);
    }
    let config = StreamableHttpClientTransportConfig::with_uri(Arc::<str>::from(parsed.as_str()))
        .custom_headers(custom)
        .max_json_response_size(MAX_MESSAGE_BYTES)
        .max_sse_event_size(MAX_MESSAGE_BYTES)
        // The SDK would send the call again; whether that may be done is decided in one place, and not there.
        .reinit_on_expired_session(false);
    let transport = StreamableHttpClientTransport::with_client(HttpTransportClient(http.single()), config);
    let running = Handler.serve(transport).await.map_err(opening_failed)?;
    Ok(Session { running, _admission: Some(admission) })
}

fn opening_failed(error: ClientInitializeError) -> Attempt {
    match error {
        ClientInitializeError::TransportError { error, .. } => match transport_failed(error) {
            Attempt::Unknown(failure) => Attempt::NotSent(failure),
            other => other,
        },
        ClientInitializeError::JsonRpcError(error) => {
            Attempt::failed("tool_error", format!("the MCP server refuses the session: {}", error.message))
        }
        other => Attempt::NotSent(Failure::new(
            "unreachable",
            format!("the MCP server did not open a session: {other}"),
        )),
    }
}
