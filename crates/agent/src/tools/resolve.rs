//! From a specification to tools with nothing left to look up.
//!
//! Every mistake is reported at once, those that only a server can tell included: all MCP servers are asked at the
//! same time, and what each of them lists is frozen in the version.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agenticai_domain::schema::Schema;
use agenticai_domain::spec::{
    AgentSpec, Approval, BuiltinTool, Effect, HttpTool, McpTool, RetryPolicy, SpecError, ToolDef, ToolSource,
    ToolSpec,
};
use futures_util::future::join_all;
use url::Url;

use super::Tools;
use super::builtin;
use super::http::check_header_name;
use super::mcp::{Listed, Names, list};
use super::redact::Redactor;

/// Bound on a bound: what a row of the journal and a model's context can hold at all.
const MAX_RESULT_BYTES: u32 = 16 * 1024 * 1024;
const MAX_ATTEMPTS: u32 = 20;

/// Collects definitions and mistakes.
struct Resolution {
    tools: Vec<ToolDef>,
    errors: Vec<SpecError>,
    names: Names,
    max_once_timeout: Duration,
    default_timeout: Duration,
    default_max_result_bytes: u32,
}

pub(super) async fn resolve(tools: &Tools, spec: &AgentSpec) -> Result<Vec<ToolDef>, Vec<SpecError>> {
    let listed = join_all(spec.tools.iter().map(|tool| async move {
        match tool {
            ToolSpec::Mcp(tool) => Some(ask(tools, tool).await),
            ToolSpec::Builtin(_) | ToolSpec::Http(_) => None,
        }
    }))
    .await;
    let mut found = Resolution {
        tools: Vec::new(),
        errors: Vec::new(),
        names: Names::default(),
        max_once_timeout: tools.0.max_once_timeout,
        default_timeout: tools.0.default_timeout,
        default_max_result_bytes: tools.0.default_max_result_bytes,
    };
    // Names that their author chose come first: a server's names give way to them.
    for tool in &spec.tools {
        match tool {
            ToolSpec::Builtin(tool) => found.names.take(&tool.builtin),
            ToolSpec::Http(tool) => found.names.take(&tool.name),
            ToolSpec::Mcp(_) => continue,
        };
    }
    for (i, (tool, listed)) in spec.tools.iter().zip(listed).enumerate() {
        let path = format!("tools[{i}]");
        match (tool, listed) {
            (ToolSpec::Builtin(tool), _) => found.builtin(tool, &path),
            (ToolSpec::Http(tool), _) => found.http(tools, tool, &path),
            (ToolSpec::Mcp(tool), Some(Ok(listed))) => found.mcp(tool, listed, &format!("{path}.mcp")),
            (ToolSpec::Mcp(_), Some(Err(why))) => found.wrong(format!("{path}.mcp"), why),
            (ToolSpec::Mcp(_), None) => {}
        }
    }
    if found.errors.is_empty() { Ok(found.tools) } else { Err(found.errors) }
}

async fn ask(tools: &Tools, tool: &McpTool) -> Result<Vec<Listed>, String> {
    let mut redactor = Redactor::default();
    let server = tools.0.servers.endpoint(&tool.mcp, &mut redactor).map_err(|error| error.to_string())?;
    list(&server)
        .await
        .map_err(|why| redactor.text(format!("the MCP server cannot be asked for its tools: {why}")))
}

impl Resolution {
    fn wrong(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(SpecError { path: path.into(), message: message.into() });
    }

    fn builtin(&mut self, tool: &BuiltinTool, path: &str) {
        let Some(definition) = builtin::definition(&tool.builtin) else {
            let known = builtin::NAMES.join("`, `");
            return self.wrong(
                format!("{path}.builtin"),
                format!("there is no built-in tool `{}`: use one of `{known}`", tool.builtin),
            );
        };
        let effect = tool.effect.unwrap_or(definition.effect);
        let bounds = self.bounds(path, effect, tool.timeout_seconds, tool.max_result_bytes, None);
        self.tools.push(ToolDef {
            name: tool.builtin.clone(),
            description: definition.description.to_owned(),
            parameters: definition.parameters,
            effect,
            approval: tool.approval,
            timeout_ms: bounds.timeout_ms,
            retry: bounds.retry,
            max_result_bytes: bounds.max_result_bytes,
            source: ToolSource::Builtin { builtin: tool.builtin.clone() },
        });
    }

    fn http(&mut self, tools: &Tools, tool: &HttpTool, path: &str) {
        if let Err(why) = check_url(tools, &tool.http.url) {
            self.wrong(format!("{path}.http.url"), why);
        }
        for (name, value) in &tool.http.headers {
            let at = format!("{path}.http.headers.{name}");
            if let Err(why) = check_header_name(name) {
                self.wrong(at, why);
            } else if value.chars().any(|c| c.is_control() && c != '\t') {
                self.wrong(at, "holds characters that no header may hold");
            }
        }
        let bounds =
            self.bounds(path, tool.effect, tool.timeout_seconds, tool.max_result_bytes, tool.retry.as_ref());
        self.tools.push(ToolDef {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
            effect: tool.effect,
            approval: tool.approval,
            timeout_ms: bounds.timeout_ms,
            retry: bounds.retry,
            max_result_bytes: bounds.max_result_bytes,
            source: ToolSource::Http { request: tool.http.clone() },
        });
    }

    fn mcp(&mut self, tool: &McpTool, listed: Vec<Listed>, path: &str) {
        let server = &tool.mcp;
        let offered: BTreeSet<&str> = listed.iter().map(|tool| tool.name.as_str()).collect();
        let wanted = server.tools.iter().flatten().map(|name| ("tools", name));
        let named = wanted
            .chain(server.effects.keys().map(|name| ("effects", name)))
            .chain(server.approvals.keys().map(|name| ("approvals", name)));
        let mut unknown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (field, name) in named.filter(|(_, name)| !offered.contains(name.as_str())) {
            unknown.entry(field).or_default().push(name);
        }
        for (field, names) in unknown {
            let offers = offered.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            self.wrong(
                format!("{path}.{field}"),
                format!("the server has no tool `{}`: it offers {offers}", names.join("`, `")),
            );
        }
        let chosen = |name: &String| server.tools.as_ref().is_none_or(|tools| tools.contains(name));
        let effect_of = |name: &str| server.effects.get(name).copied().unwrap_or(Effect::Once);
        let listed: Vec<_> = listed.into_iter().filter(|tool| chosen(&tool.name)).collect();
        // The bounds hold for all tools of the server, so they are judged, and complained about, once.
        let strictest = if listed.iter().any(|tool| effect_of(&tool.name) == Effect::Once) {
            Effect::Once
        } else {
            Effect::None
        };
        let bounds = self.bounds(
            path,
            strictest,
            server.timeout_seconds,
            server.max_result_bytes,
            server.retry.as_ref(),
        );
        for tool in listed {
            if let Err(why) = Schema::compile(&tool.parameters) {
                self.wrong(path, format!(
                    "the server's tool `{}` has parameters that are no JSON Schema ({why}): leave it out with `tools: […]`",
                    tool.name
                ));
            }
            let effect = effect_of(&tool.name);
            self.tools.push(ToolDef {
                name: self.names.take_similar(&tool.name),
                description: tool.description,
                parameters: tool.parameters,
                effect,
                approval: server.approvals.get(&tool.name).copied().unwrap_or(Approval::Never),
                timeout_ms: bounds.timeout_ms,
                retry: bounds.retry.clone(),
                max_result_bytes: bounds.max_result_bytes,
                source: ToolSource::Mcp { server: server.clone(), tool: tool.name },
            });
        }
    }

    fn bounds(
        &mut self,
        path: &str,
        effect: Effect,
        timeout_seconds: Option<u32>,
        max_result_bytes: Option<u32>,
        retry: Option<&RetryPolicy>,
    ) -> Bounds {
        let longest = self.max_once_timeout;
        let mut timeout = self.default_timeout;
        if let Some(seconds) = timeout_seconds {
            timeout = Duration::from_secs(seconds.into());
            if seconds == 0 {
                self.wrong(format!("{path}.timeout_seconds"), "must be at least 1");
            } else if effect == Effect::Once && timeout > longest {
                let longest = longest.as_secs();
                self.wrong(format!("{path}.timeout_seconds"), format!(
                    "a call of the class `once` may take {longest} s at most (the setting `worker.max_once_timeout_seconds`), \
                     since a worker that stops waits for it"
                ));
            }
        } else if effect == Effect::Once {
            timeout = timeout.min(longest);
        }
        let max_result_bytes = max_result_bytes.unwrap_or(self.default_max_result_bytes);
        if !(1..=MAX_RESULT_BYTES).contains(&max_result_bytes) {
            self.wrong(
                format!("{path}.max_result_bytes"),
                format!("must lie between 1 and {MAX_RESULT_BYTES}"),
            );
        }
        let retry = retry.cloned().unwrap_or_default();
        if !(1..=MAX_ATTEMPTS).contains(&retry.max_attempts) {
            self.wrong(
                format!("{path}.retry.max_attempts"),
                format!("must lie between 1 and {MAX_ATTEMPTS}"),
            );
        }
        Bounds { timeout_ms: timeout.as_millis().try_into().unwrap_or(u64::MAX), max_result_bytes, retry }
    }
}

struct Bounds {
    timeout_ms: u64,
    max_result_bytes: u32,
    retry: RetryPolicy,
}

/// Whether a declared URL can be read, and may be reached as far as can be said before its name is resolved.
fn check_url(tools: &Tools, text: &str) -> Result<(), String> {
    let mut plain = String::new();
    let mut pieces = text.split("${secret:");
    plain.push_str(pieces.next().unwrap_or_default());
    let host_is_known = plain.splitn(4, '/').count() == 4 || plain == text;
    for piece in pieces {
        let (_, rest) =
            piece.split_once('}').ok_or("a reference to a secret is not closed: write ${secret:NAME}")?;
        plain.push_str("secret");
        plain.push_str(rest);
    }
    let url = Url::parse(&plain).map_err(|error| format!("is no valid URL: {error}"))?;
    if host_is_known { tools.0.egress.check_url(&url).map_err(|denied| denied.to_string()) } else { Ok(()) }
}
