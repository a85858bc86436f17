//! What this program says and offers to MCP servers: tools are called, nothing else is supported.

use rmcp::ClientHandler;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation, ProtocolVersion};

/// Declares no capabilities. What a server may ask all the same is declined by the SDK's defaults, and its progress
/// and log notifications are ignored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handler;

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let this = Implementation::new("agenticai", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), this)
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }
}
