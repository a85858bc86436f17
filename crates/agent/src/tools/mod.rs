//! Tool calls: resolving tools when an agent is applied, and performing calls.
//!
//! A tool is built in, an HTTP endpoint or a tool of an MCP server. Whichever it is, a call obeys the same rules: its
//! [effect class](agenticai_domain::spec::Effect) decides whether an attempt may be repeated (`retry`), the operator's
//! [`egress`] rule decides where it may go, and secrets are resolved when it is made and taken out of what it reports
//! (`redact`).
//!
//! # Errors that a model or a program may see
//!
//! | code | meaning |
//! | --- | --- |
//! | `bad_arguments`, `bad_expression` | the arguments cannot be used; the message says what would |
//! | `bad_request`, `secret_missing` | the tool is declared wrongly, or a secret is not set |
//! | `egress_denied` | the operator's `egress.allow` does not admit the destination |
//! | `unreachable` | nothing was sent, in any attempt |
//! | `timeout`, `connection_lost`, `bad_answer` | sent, but no complete answer came (classes `none` and `idempotent`) |
//! | `http_404` and so on | the server's answer, with an excerpt of its body |
//! | `too_large`, `binary`, `unsupported_encoding`, `too_many_redirects` | the answer cannot be shown |
//! | `tool_error` | an MCP tool says that it failed |
//! | `lease_lost` | the worker has lost its lease for good; another one goes on with the task |

pub mod egress;

mod builtin;
mod http;
mod mcp;
mod redact;
mod resolve;
mod retry;

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenticai_domain::outcome::{ToolOutcome, ToolResult};
use agenticai_domain::spec::{AgentSpec, HttpRequestSpec, McpServerRef, SpecError, ToolDef, ToolSource};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use self::egress::{EgressPolicy, Gate, Lookup};
use self::http::{HttpCall, HttpClient};
use self::mcp::Servers;
use self::redact::Redactor;
use self::retry::{Failure, perform};
use crate::call::CallContext;
use crate::secrets::Secrets;

pub use self::builtin::NAMES as BUILTIN_NAMES;
pub use self::http::ToolsError;
pub use self::mcp::McpServerConfig;

/// What tools may do and use.
pub struct ToolsConfig {
    /// Where requests may go.
    pub egress: EgressPolicy,
    /// What `${secret:NAME}` stands for.
    pub secrets: Secrets,
    /// Servers that the operator names; specifications refer to them with `mcp: {server: NAME}`.
    pub mcp_servers: BTreeMap<String, McpServerConfig>,
    /// Whether specifications may name programs to be started as MCP servers. Only in a loopback `up`.
    pub allow_stdio: bool,
    /// Bound on the time-out of tools of the class `once`.
    pub max_once_timeout: Duration,
    /// Time-out of one attempt where a specification names none.
    pub default_timeout: Duration,
    /// Bound on a result where a specification names none, in bytes.
    pub default_max_result_bytes: u32,
    /// Resolves names instead of the system.
    pub lookup: Option<Lookup>,
}

impl Default for ToolsConfig {
    fn default() -> Self {
        Self {
            egress: EgressPolicy::default(),
            secrets: Secrets::default(),
            mcp_servers: BTreeMap::new(),
            allow_stdio: false,
            max_once_timeout: Duration::from_secs(300),
            default_timeout: Duration::from_millis(ToolDef::TIMEOUT_MS),
            default_max_result_bytes: ToolDef::MAX_RESULT_BYTES,
            lookup: None,
        }
    }
}

/// Resolves tools and performs calls. Cheap to clone.
#[derive(Clone)]
pub struct Tools(Arc<Inner>);

struct Inner {
    egress: EgressPolicy,
    secrets: Secrets,
    http: HttpClient,
    servers: Servers,
    max_once_timeout: Duration,
    default_timeout: Duration,
    default_max_result_bytes: u32,
}

impl Tools {
    /// Sets up HTTP clients; connects to nothing.
    pub fn new(config: ToolsConfig) -> Result<Self, ToolsError> {
        let gate = Gate::new(config.egress.clone(), config.lookup);
        let http = HttpClient::open(gate)?;
        let servers =
            Servers::new(config.mcp_servers, config.allow_stdio, config.secrets.clone(), http.clone());
        Ok(Self(Arc::new(Inner {
            egress: config.egress,
            secrets: config.secrets,
            http,
            servers,
            max_once_timeout: config.max_once_timeout,
            default_timeout: config.default_timeout,
            default_max_result_bytes: config.default_max_result_bytes,
        })))
    }

    /// Resolves every tool of a specification: built-in ones get their description, parameters and effect class, MCP
    /// servers are asked for their lists. All mistakes are reported at once. [`AgentSpec::check`] comes before.
    ///
    /// This and [`Tools::call`] are boxed so that the clients behind them are compiled with this crate.
    pub fn resolve<'a>(&'a self, spec: &'a AgentSpec) -> BoxFuture<'a, Result<Vec<ToolDef>, Vec<SpecError>>> {
        Box::pin(resolve::resolve(self, spec))
    }

    /// Performs one call, with the tool's time-out, retry policy and bound on results. Dropping the future cancels it:
    /// what has been sent may still have an effect.
    pub fn call<'a>(
        &'a self,
        def: &'a ToolDef,
        arguments: &'a Value,
        ctx: &'a CallContext,
    ) -> BoxFuture<'a, ToolOutcome> {
        Box::pin(self.perform(def, arguments, ctx))
    }

    async fn perform(&self, def: &ToolDef, arguments: &Value, ctx: &CallContext) -> ToolOutcome {
        let started = Instant::now();
        let mut redactor = Redactor::default();
        let performed = match &def.source {
            ToolSource::Builtin { builtin } => self.builtin(builtin, def, arguments, ctx).await,
            ToolSource::Http { request } => self.http(request, def, arguments, ctx, &mut redactor).await,
            ToolSource::Mcp { server, tool } => {
                self.mcp(server, tool, def, arguments, ctx, &mut redactor).await
            }
        };
        let (result, attempts) =
            performed.unwrap_or_else(|failure| (ToolResult::error(failure.code, failure.message), 0));
        ToolOutcome {
            step: ctx.step,
            result: redactor.result(result),
            attempts,
            took_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        }
    }

    async fn builtin(&self, name: &str, def: &ToolDef, arguments: &Value, ctx: &CallContext) -> Performed {
        match name {
            "calculator" => Ok(perform(def, ctx, |_| builtin::calculate(arguments).boxed()).await),
            "now" => {
                Ok(perform(def, ctx, |_| ready(builtin::now(arguments, jiff::Timestamp::now())).boxed())
                    .await)
            }
            "http_request" => self.send(&builtin::http_request(arguments)?, def, ctx).await,
            other => Err(Failure::new(
                "not_performed_here",
                format!("`{other}` is handled by the engine itself or does not exist: apply the agent again"),
            )),
        }
    }

    async fn http(
        &self,
        request: &HttpRequestSpec,
        def: &ToolDef,
        arguments: &Value,
        ctx: &CallContext,
        redactor: &mut Redactor,
    ) -> Performed {
        let call = HttpCall::declared(request, arguments, &self.0.secrets, redactor)?;
        self.send(&call, def, ctx).await
    }

    async fn send(&self, call: &HttpCall, def: &ToolDef, ctx: &CallContext) -> Performed {
        Ok(perform(def, ctx, |number| self.0.http.attempt(call, def, ctx, number).boxed()).await)
    }

    async fn mcp(
        &self,
        server: &McpServerRef,
        tool: &str,
        def: &ToolDef,
        arguments: &Value,
        ctx: &CallContext,
        redactor: &mut Redactor,
    ) -> Performed {
        let server = self.0.servers.endpoint(server, redactor)?;
        Ok(perform(def, ctx, |number| server.attempt(def, tool, arguments, ctx, number).boxed()).await)
    }
}

/// A result and the number of attempts; or why there was not even one.
type Performed = Result<(ToolResult, u32), Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Workers run calls as tasks of their own.
    #[test]
    fn calls_can_be_spawned() {
        fn sent<T: Send>(_: impl FnOnce() -> T) {}
        async fn call(tools: Tools, def: ToolDef, arguments: Value, ctx: CallContext) -> ToolOutcome {
            tools.call(&def, &arguments, &ctx).await
        }
        async fn resolve(tools: Tools, spec: AgentSpec) -> Result<Vec<ToolDef>, Vec<SpecError>> {
            tools.resolve(&spec).await
        }
        let _ = |tools: Tools, def, ctx| sent(|| call(tools, def, Value::Null, ctx));
        let _ = |tools: Tools, spec| sent(|| resolve(tools, spec));
    }
}
