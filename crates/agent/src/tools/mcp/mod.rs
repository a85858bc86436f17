//! Tools of MCP servers (protocol 2025-11-25), by the official SDK.
//!
//! A server is a child process that speaks over standard input and output, or a URL that speaks streamable HTTP. Its
//! session is opened at first use, shared by all calls, opened anew when it has died, and closed when nobody has used
//! it for a while. Sessions are kept per server *with its secrets resolved*: a secret that changes opens a new one.
//!
//! A child process has an empty environment but for `PATH` and what is declared, and a process group of its own that
//! is killed with the session, helpers of the server included. HTTP goes through the egress [`Gate`](super::egress)
//! without a connection pool and without redirects, since any call may be one that must not be repeated.

mod call;
mod client;
mod content;
mod handler;
mod list;
mod names;
mod servers;
mod session;

pub(crate) use list::{Listed, list};
pub(crate) use names::Names;
pub use servers::McpServerConfig;
pub(crate) use servers::Servers;

/// One server, found and permitted.
pub(crate) struct Server {
    servers: Servers,
    endpoint: servers::Endpoint,
}
