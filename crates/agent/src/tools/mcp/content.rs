//! What an MCP tool returns, made into what a model can read.

use agenticai_domain::journal::CallOutcome;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::Value;

/// Structured content where there is some, else the text of all blocks; what is no text is described in a few words.
pub(super) fn outcome(result: CallToolResult, max_bytes: usize) -> CallOutcome {
    let failed = result.is_error == Some(true);
    let content = match result.structured_content {
        Some(value) if !value.is_null() && !failed => value,
        _ => Value::String(result.content.iter().map(block).collect::<Vec<_>>().join("\n")),
    };
    let text = match content {
        Value::String(text) => text,
        value => {
            let size = value.to_string().len();
            return if size > max_bytes {
                too_large(size, max_bytes)
            } else {
                CallOutcome::Ok { content: value }
            };
        }
    };
    if text.len() > max_bytes {
        return too_large(text.len(), max_bytes);
    }
    if failed {
        let message = if text.is_empty() { "the tool failed without saying why".to_owned() } else { text };
        return CallOutcome::Error { code: "tool_error".to_owned(), message };
    }
    CallOutcome::Ok { content: text.into() }
}

fn too_large(size: usize, max_bytes: usize) -> CallOutcome {
    CallOutcome::Error {
        code: "too_large".to_owned(),
        message: format!(
            "the call was performed, but its result of {size} bytes is larger than the {max_bytes} bytes that this \
             tool may return. Ask for less, for example for fewer items or a part"
        ),
    }
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => format!("[image, {}]", image.mime_type),
        ContentBlock::Audio(audio) => format!("[audio, {}]", audio.mime_type),
        ContentBlock::ResourceLink(link) => format!("[resource {}: {}]", link.name, link.uri),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { text, uri, .. } => format!("[resource {uri}]\n{text}"),
            ResourceContents::BlobResourceContents { uri, mime_type, .. } => {
                format!("[binary resource {uri}, {}]", mime_type.as_deref().unwrap_or("unknown type"))
            }
            _ => "[resource]".to_owned(),
        },
        _ => "[content of an unknown kind]".to_owned(),
    }
}
