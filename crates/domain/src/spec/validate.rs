//! What a specification must fulfil beyond its types. Every mistake is reported at once.

use std::collections::BTreeSet;

use super::{AgentKind, AgentSpec, McpServerRef, ToolSpec};
use crate::schema;

/// One mistake in a specification: where it is and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct SpecError {
    /// Where, as in `tools[2].http.url`.
    pub path: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl AgentSpec {
    /// All mistakes that can be seen without asking anybody else; empty means valid.
    pub fn check(&self) -> Vec<SpecError> {
        let mut found = Found::default();
        check_name(&self.name, &mut found);
        match self.kind {
            AgentKind::React => {
                if self.model.is_none() {
                    found.add(
                        "model",
                        "an agent of kind `react` needs a model, for example `model: gpt-5-mini`",
                    );
                }
            }
            AgentKind::Tool => {
                if self.model.is_some() || self.instructions.is_some() || self.output.is_some() {
                    found.add("kind", "an agent of kind `tool` has no `model`, `instructions` or `output`");
                }
                if self.tools.len() != 1 {
                    found.add("tools", "an agent of kind `tool` has exactly one tool");
                }
            }
        }
        if let Some(model) = &self.model {
            if model.name.trim().is_empty() {
                found.add("model.name", "is empty: name a model");
            }
            if model.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
                found.add("model.temperature", "must lie between 0 and 2");
            }
        }
        if let Some(output) = &self.output
            && let Err(why) = schema::Schema::compile(&output.schema)
        {
            found.add("output.schema", format!("is no JSON Schema: {why}"));
        }
        self.check_limits(&mut found);
        let mut names = BTreeSet::new();
        for (i, tool) in self.tools.iter().enumerate() {
            check_tool(tool, &format!("tools[{i}]"), &mut found);
            let name = match tool {
                ToolSpec::Builtin(t) => &t.builtin,
                ToolSpec::Http(t) => &t.name,
                ToolSpec::Mcp(_) => continue,
            };
            if !names.insert(name) {
                found.add(
                    format!("tools[{i}]"),
                    format!("a second tool named `{name}`: give each its own name"),
                );
            }
        }
        found.0
    }

    fn check_limits(&self, found: &mut Found) {
        let limits = &self.limits;
        if limits.max_steps == 0 {
            found.add("limits.max_steps", "must be at least 1");
        }
        if limits.max_cost_usd.is_some_and(|c| !c.is_finite() || c < 0.0) {
            found.add("limits.max_cost_usd", "must be a number of dollars, 0 or more");
        }
        if limits.timeout_seconds == Some(0) {
            found.add("limits.timeout_seconds", "must be at least 1");
        }
    }
}

#[derive(Default)]
struct Found(Vec<SpecError>);

impl Found {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(SpecError { path: path.into(), message: message.into() });
    }
}

fn check_name(name: &str, found: &mut Found) {
    if let Err(why) = check_plain_name(name) {
        found.add("name", why);
    }
}

/// Whether a text can name an agent, a schedule or a thread; the error says what can.
pub(crate) fn check_plain_name(name: &str) -> Result<(), String> {
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if fits {
        Ok(())
    } else {
        Err(format!("`{name}` does not fit: use 1 to 63 of a-z, 0-9, `-` and `_`, a letter or digit first"))
    }
}

fn check_tool(tool: &ToolSpec, path: &str, found: &mut Found) {
    match tool {
        ToolSpec::Builtin(tool) => {
            if tool.effect.is_some() && tool.builtin != "http_request" {
                found.add(
                    format!("{path}.effect"),
                    "only `http_request` takes another effect class than its own",
                );
            }
        }
        ToolSpec::Http(tool) => {
            let fits = (1..=64).contains(&tool.name.len())
                && tool.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            if !fits {
                found.add(format!("{path}.name"), "use 1 to 64 of a-z, A-Z, 0-9, `_` and `-`");
            }
            if !tool.http.url.starts_with("http://") && !tool.http.url.starts_with("https://") {
                found.add(format!("{path}.http.url"), "must start with `http://` or `https://`");
            }
            if tool.parameters.get("type").and_then(|t| t.as_str()) != Some("object") {
                found.add(format!("{path}.parameters"), "must be a JSON Schema with `type: object`");
            } else if let Err(why) = schema::Schema::compile(&tool.parameters) {
                found.add(format!("{path}.parameters"), format!("is no JSON Schema: {why}"));
            }
        }
        ToolSpec::Mcp(tool) => check_mcp(&tool.mcp, path, found),
    }
}

fn check_mcp(server: &McpServerRef, path: &str, found: &mut Found) {
    let ways = [server.command.is_some(), server.url.is_some(), server.server.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        found.add(format!("{path}.mcp"), "name exactly one of `command`, `url` and `server`");
    }
    if server.command.as_ref().is_some_and(|c| c.is_empty() || c[0].is_empty()) {
        found.add(format!("{path}.mcp.command"), "needs a program: [program, argument, …]");
    }
    if !server.env.is_empty() && server.command.is_none() {
        found.add(format!("{path}.mcp.env"), "goes with `command` only");
    }
    if !server.headers.is_empty() && server.url.is_none() {
        found.add(format!("{path}.mcp.headers"), "goes with `url` only");
    }
}
