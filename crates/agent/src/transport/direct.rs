//! Plain HTTP/1.1, one request at a time on a connection of hyper's that its caller drives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::poll_fn;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::{Answer, Unanswered};
use super::connect::Connector;
use super::pool::Pool;
use crate::tools::egress::Gate;

type Io = TokioIo<TcpStream>;

/// Sends over connections of its own.
pub(super) struct Direct {
    connector: Connector,
    pool: Option<Arc<Pool>>,
}

/// A connection with a request under way, in a box since it outlives the call that made it.
struct Exchange {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<Io, Full<Bytes>>,
    /// Whether the connection has come to its end; it must not be driven any more then.
    over: bool,
}

/// The body of an answer, and the connection that it comes from.
pub(super) struct Body {
    incoming: Incoming,
    /// None once the body has come to its end.
    exchange: Option<Box<Exchange>>,
    /// Where the connection goes then.
    home: Option<(Arc<Pool>, Uri)>,
}

impl Direct {
    pub fn new(timeout: Duration, idle: Option<Duration>, gate: Option<Arc<Gate>>) -> Self {
        Self { connector: Connector::new(timeout, gate), pool: idle.map(Pool::new) }
    }

    /// Sends a request to `uri`, which has an authority, and waits for the head of its answer.
    pub async fn send(
        &self,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Unanswered> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        if let Some(path) = uri.path_and_query() {
            *request.uri_mut() = Uri::from(path.clone());
        }
        loop {
            let idle = self.pool.as_ref().and_then(|pool| pool.take(&uri));
            let kept = idle.is_some();
            let stream = match idle {
                Some(stream) => stream,
                None => self.connector.connect(&uri).await?,
            };
            let mut exchange = Exchange::open(stream).await.map_err(|e| Unanswered::lost(&e))?;
            match exchange.send(request).await {
                Ok(answer) => {
                    let (head, incoming) = answer.into_parts();
                    let home = self.pool.clone().map(|pool| (pool, uri));
                    let body = Body { incoming, exchange: Some(exchange), home };
                    return Ok(Answer::direct(head.status, head.headers, body));
                }
                // The server had closed the kept connection, and nothing was written to it.
                Err((_, Some(unsent))) if kept => request = unsent,
                Err((error, _)) => return Err(Unanswered::lost(&error)),
            }
        }
    }
}

impl Exchange {
    async fn open(stream: TcpStream) -> hyper::Result<Box<Self>> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Box::new(Self { sender, connection, over: false }))
    }

    /// The head of the answer; or what went wrong, with the request if none of it was written.
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<Full<Bytes>>>)> {
        let mut sending = std::pin::pin!(self.sender.try_send_request(request));
        let (connection, over) = (&mut self.connection, &mut self.over);
        let sent = poll_fn(|cx| {
            drive(connection, over, cx);
            sending.as_mut().poll(cx)
        });
        sent.await.map_err(|mut error| {
            let unsent = error.take_message();
            (error.into_error(), unsent)
        })
    }

    /// The connection itself, if it may take another request.
    fn into_stream(self) -> Option<TcpStream> {
        if self.over || !self.sender.is_ready() {
            return None;
        }
        let parts = self.connection.into_parts();
        parts.read_buf.is_empty().then(|| parts.io.into_inner())
    }
}

/// Lets a connection go on as far as it can. What comes of it, also that it has failed, is heard from the request.
fn drive(connection: &mut Connection<Io, Full<Bytes>>, over: &mut bool, cx: &mut Context<'_>) {
    if !*over {
        *over = Pin::new(connection).poll(cx).is_ready();
    }
}

impl Body {
    /// The next piece; none at the end.
    pub async fn chunk(&mut self) -> hyper::Result<Option<Bytes>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<Option<Bytes>>> {
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(Ok(None)) };
        loop {
            let before = Pin::new(&mut self.incoming).poll_frame(cx);
            let frame = match before {
                Poll::Pending => {
                    // Only now does the connection know that more is wanted.
                    drive(&mut exchange.connection, &mut exchange.over, cx);
                    std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx))
                }
                Poll::Ready(frame) => frame,
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => {
                    drive(&mut exchange.connection, &mut exchange.over, cx);
                    break;
                }
            }
        }
        if let (Some(exchange), Some((pool, uri))) = (self.exchange.take(), &self.home)
            && let Some(stream) = exchange.into_stream()
        {
            pool.keep(uri, stream);
        }
        Poll::Ready(Ok(None))
    }
}
