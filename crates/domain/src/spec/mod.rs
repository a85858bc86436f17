//! Agent specifications: what users write (as JSON to the API, as YAML to the CLI) and what is stored with a version.

mod agent;
mod limits;
mod model;
mod tool;
mod validate;

pub use agent::{AgentKind, AgentSpec, AgentVersion, OutputSpec};
pub use limits::Limits;
pub use model::{ModelRef, ToolChoice};
pub use tool::{
    Approval, BuiltinTool, Effect, HttpMethod, HttpRequestSpec, HttpTool, McpServerRef, McpTool, RetryPolicy,
    ToolDef, ToolSource, ToolSpec,
};
pub use validate::SpecError;
pub(crate) use validate::check_plain_name;
