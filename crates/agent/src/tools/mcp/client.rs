//! The SDK's HTTP client, with one change: a refusal that names no request is an answer to the one that was sent.
//!
//! JSON-RPC lets a server leave the id out of an error where it could not read the request, and servers do so for a
//! session that they do not know, for example after a restart. The SDK takes such an answer for nobody's and would
//! wait until the call's time is over; then a call of the class `once` would count as uncertain although the server
//! has said that it refused it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use sse_stream::Sse;

/// Begins the message of an error that [`HttpTransportClient`] makes.
pub(super) const REFUSED: &str = "the MCP server refused the request: ";

type Headers = HashMap<HeaderName, HeaderValue>;
type Failed = StreamableHttpError<reqwest::Error>;

/// See the module.
#[derive(Clone)]
pub(super) struct HttpTransportClient(pub reqwest::Client);

impl StreamableHttpClient for HttpTransportClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, authorization, headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        authorization: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let is_request = matches!(message, JsonRpcMessage::Request(_));
        let posted = self
            .0
            .post_message_with_response_limits(uri, message, session, authorization, headers, limits)
            .await?;
        match posted {
            StreamableHttpPostResponse::Json(JsonRpcMessage::Error(error), _)
                if is_request && error.id.is_none() =>
            {
                let text = format!("{REFUSED}{}", error.error.message);
                Err(StreamableHttpError::UnexpectedServerResponse(text.into()))
            }
            other => Ok(other),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Result<(), Failed> {
        self.0.delete_session(uri, session, authorization, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event_id: Option<String>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        self.0.get_stream(uri, session, last_event_id, authorization, headers).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event_id: Option<String>,
        authorization: Option<String>,
        headers: Headers,
        max_size: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        let opened = self.0.get_stream_with_max_sse_event_size(
            uri,
            session,
            last_event_id,
            authorization,
            headers,
            max_size,
        );
        opened.await
    }
}
