//! An agent version made ready for deciding: schemas compiled, tools found by name.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::schema::Schema;
use crate::spec::{AgentKind, AgentVersion, ToolDef};

/// An agent version with its schemas compiled.
#[derive(Debug, Clone)]
pub struct Agent {
    version: Arc<AgentVersion>,
    tools: HashMap<String, (usize, Schema)>,
    output: Option<Schema>,
}

impl Agent {
    /// Compiles a version; the error names what cannot be compiled.
    pub fn compile(version: Arc<AgentVersion>) -> Result<Self, String> {
        let mut tools = HashMap::new();
        for (index, tool) in version.tools.iter().enumerate() {
            let schema =
                Schema::compile(&tool.parameters).map_err(|why| format!("tool `{}`: {why}", tool.name))?;
            tools.insert(tool.name.clone(), (index, schema));
        }
        let output = match &version.spec.output {
            Some(output) => {
                Some(Schema::compile(&output.schema).map_err(|why| format!("output.schema: {why}"))?)
            }
            None => None,
        };
        Ok(Self { version, tools, output })
    }

    /// The version as stored.
    pub fn version(&self) -> &AgentVersion {
        &self.version
    }

    /// How the agent works.
    pub fn kind(&self) -> AgentKind {
        self.version.spec.kind
    }

    /// A tool by its index.
    pub fn tool(&self, index: usize) -> Option<&ToolDef> {
        self.version.tools.get(index)
    }

    /// A tool's index by its name.
    pub fn tool_index(&self, name: &str) -> Option<usize> {
        self.tools.get(name).map(|(index, _)| *index)
    }

    /// Whether a call may be performed; the error is told to whoever wrote it.
    pub fn admit(&self, name: &str, arguments: &Value) -> Result<usize, String> {
        let Some((index, schema)) = self.tools.get(name) else {
            let mut names: Vec<&str> = self.tools.keys().map(String::as_str).collect();
            names.sort_unstable();
            return Err(match names.as_slice() {
                [] => format!("there is no tool `{name}`: there are no tools at all, answer without"),
                names => format!("there is no tool `{name}`: call one of {}", names.join(", ")),
            });
        };
        if !arguments.is_object() {
            return Err("the arguments must be a JSON object".to_owned());
        }
        schema
            .check(arguments)
            .map_err(|why| format!("the arguments do not fit the tool's schema: {why}"))?;
        Ok(*index)
    }

    /// The schema of the final answer.
    pub fn output(&self) -> Option<&Schema> {
        self.output.as_ref()
    }
}
