//! Asking an MCP server for its tools.

use std::time::Duration;

use agenticai_domain::journal::CallOutcome;
use rmcp::model::PaginatedRequestParams;
use serde_json::Value;

use super::Server;
use crate::tools::retry::Attempt;

/// The whole list has to come within this time, once the session is open.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// More tools than any model is offered; a list that does not end is cut off here.
const MAX_TOOLS: usize = 1_000;

/// A tool as its server lists it. Hints about its effects are not looked at: they are a server's word about itself.
pub(crate) struct Listed {
    pub name: String,
    pub description: String,
    pub parameters: Value,
}

/// All tools of a server, page by page; the error says why there are none.
pub(crate) async fn list(server: &Server) -> Result<Vec<Listed>, String> {
    let session = server.servers.session(&server.endpoint).await.map_err(words)?;
    let pages = async {
        let mut tools = Vec::new();
        let mut cursor = None;
        loop {
            let asked = PaginatedRequestParams::default().with_cursor(cursor);
            let page = session.peer().list_tools(Some(asked)).await.map_err(|error| error.to_string())?;
            tools.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
            if tools.len() > MAX_TOOLS {
                return Err(format!("it lists more than {MAX_TOOLS} tools"));
            }
        }
    };
    let listed = tokio::time::timeout(LIST_TIMEOUT, pages)
        .await
        .unwrap_or_else(|_| Err(format!("it did not list its tools within {} s", LIST_TIMEOUT.as_secs())));
    if listed.is_err() {
        server.servers.forget(&server.endpoint, &session).await;
    }
    let tools = listed?;
    Ok(tools
        .into_iter()
        .map(|tool| Listed {
            name: tool.name.into_owned(),
            description: tool.description.map(|text| text.into_owned()).or(tool.title).unwrap_or_default(),
            parameters: Value::Object(tool.input_schema.as_ref().clone()),
        })
        .collect())
}

fn words(failed: Attempt) -> String {
    match failed {
        Attempt::Ended(CallOutcome::Error { message, .. })
        | Attempt::Passing { outcome: CallOutcome::Error { message, .. }, .. } => message,
        Attempt::NotSent(failure) | Attempt::Unknown(failure) => failure.message,
        Attempt::Ended(_) | Attempt::Passing { .. } | Attempt::LeaseLost => {
            "it did not open a session".to_owned()
        }
    }
}
