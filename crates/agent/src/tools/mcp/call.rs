//! Calling a tool of an MCP server.

use agenticai_domain::journal::CallOutcome;
use agenticai_domain::spec::ToolDef;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorCode, JsonObject, RequestMetaObject};
use rmcp::service::ServiceError;
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::StreamableHttpError;
use serde_json::Value;

use super::client::REFUSED;
use super::{Server, content};
use crate::call::CallContext;
use crate::tools::http::{call_metadata, parse_retry_after, sending_failed};
use crate::tools::retry::{Attempt, Failure, within};
use crate::transport::chain;

impl Server {
    /// One attempt to call `tool`. Opening the session has its own bound of time: nothing has been sent before it.
    pub async fn attempt(
        &self,
        def: &ToolDef,
        tool: &str,
        arguments: &Value,
        ctx: &CallContext,
        number: u32,
    ) -> Attempt {
        let mut params = CallToolRequestParams::new(tool.to_owned());
        match arguments {
            Value::Object(map) => params = params.with_arguments(map.clone()),
            Value::Null => {}
            _ => return Attempt::failed("bad_arguments", "the arguments must be a JSON object"),
        }
        let metadata: JsonObject = call_metadata(ctx, number)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        params.meta = Some(RequestMetaObject::from(metadata));
        let session = match self.servers.session(&self.endpoint).await {
            Ok(session) => session,
            Err(failed) => return failed,
        };
        if !(ctx.may_send)() {
            return Attempt::LeaseLost;
        }
        let mut broken = false;
        let sent = async {
            match session.peer().call_tool_once(params).await {
                Ok(CallToolResponse::Complete(result)) => {
                    Attempt::Ended(content::outcome(result, def.max_result_bytes as usize))
                }
                Ok(_) => Attempt::failed(
                    "tool_error",
                    "the tool asks for input while it runs, which is not supported",
                ),
                Err(error) => {
                    broken = breaks_session(&error);
                    failed(error)
                }
            }
        };
        let end = within(def, sent).await;
        // Whatever it was that broke, the next attempt shall not meet it again.
        if broken || session.is_closed() {
            self.servers.forget(&self.endpoint, &session).await;
        }
        end
    }
}

/// A code with which servers report that they know no such session, where the protocol wants HTTP 404.
const UNKNOWN_SESSION: ErrorCode = ErrorCode(-32_000);

fn breaks_session(error: &ServiceError) -> bool {
    match error {
        ServiceError::McpError(error) => error.code == UNKNOWN_SESSION,
        _ => true,
    }
}

fn failed(error: ServiceError) -> Attempt {
    match error {
        ServiceError::McpError(error) if error.code == UNKNOWN_SESSION => Attempt::Passing {
            outcome: CallOutcome::Error {
                code: "tool_error".to_owned(),
                message: error.message.into_owned(),
            },
            retry_after: None,
        },
        ServiceError::McpError(error) => {
            let code = if error.code == ErrorCode::INVALID_PARAMS { "bad_arguments" } else { "tool_error" };
            Attempt::Ended(CallOutcome::Error { code: code.to_owned(), message: error.message.into_owned() })
        }
        ServiceError::TransportSend(error) => transport_failed(error),
        ServiceError::TransportClosed => {
            Attempt::Unknown(Failure::new("connection_lost", "the MCP server ended before it answered"))
        }
        other => Attempt::Unknown(Failure::new(
            "bad_answer",
            format!("the MCP server's answer makes no sense: {other}"),
        )),
    }
}

/// An answer, but perhaps only to the session: a call that may be repeated is made again in a new one.
fn refused(message: String) -> Attempt {
    Attempt::Passing {
        outcome: CallOutcome::Error { code: "tool_error".to_owned(), message },
        retry_after: None,
    }
}

/// What is known when a message could not be sent, or its HTTP answer was none.
pub(super) fn transport_failed(error: DynamicTransportError) -> Attempt {
    let lost = |message: String| Attempt::Unknown(Failure::new("connection_lost", message));
    let error = match error.error.downcast::<StreamableHttpError<reqwest::Error>>() {
        Ok(error) => *error,
        Err(other) => return lost(format!("the MCP server cannot be reached: {}", chain(other.as_ref()))),
    };
    match error {
        StreamableHttpError::Client(error) => sending_failed(error.into()),
        StreamableHttpError::HttpStatus(answer) => Attempt::Passing {
            outcome: CallOutcome::Error {
                code: format!("http_{}", answer.status),
                message: format!("the MCP server answered with HTTP {}", answer.status),
            },
            retry_after: answer
                .retry_after
                .and_then(|text| parse_retry_after(&text, std::time::SystemTime::now())),
        },
        // By the protocol a server that does not know the session has not looked at the call.
        StreamableHttpError::SessionExpired => {
            Attempt::NotSent(Failure::new("unreachable", "the MCP server has closed the session"))
        }
        StreamableHttpError::AuthRequired(_) => {
            Attempt::failed("http_401", "the MCP server asks for credentials: declare them in `headers`")
        }
        StreamableHttpError::InsufficientScope(_) => {
            Attempt::failed("http_403", "the credentials in `headers` do not suffice for the MCP server")
        }
        StreamableHttpError::ResponseBodyTooLarge { max_size } => Attempt::failed(
            "too_large",
            format!("the call was performed, but its result exceeds {max_size} bytes"),
        ),
        StreamableHttpError::UnexpectedServerResponse(text) if text.starts_with(REFUSED) => {
            refused(text.into_owned())
        }
        StreamableHttpError::UnexpectedServerResponse(text) => match refused_status(&text) {
            Some(status) => Attempt::failed(&format!("http_{status}"), text),
            None => lost(format!("the MCP server's answer makes no sense: {text}")),
        },
        other => lost(format!("the MCP server cannot be reached: {}", chain(&other))),
    }
}

/// The SDK reports a status that is no success in words: `HTTP 404 Not Found: …`.
fn refused_status(text: &str) -> Option<u16> {
    text.strip_prefix("HTTP ")?.get(..3)?.parse().ok().filter(|status| (300..500).contains(status))
}
