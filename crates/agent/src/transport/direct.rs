//! Plain HTTP/1.1, one request at a time on a connection that its caller drives.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::uri::Authority;
use http::{HeaderMap, Method, Uri};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::answer::{Answer, Unanswered};
use super::connect::Connector;
use super::http1::{self, Decoded, Framing, Head, Malformed};
use super::pool::Pool;
use crate::tools::egress::Gate;

/// How much is read at a time. Room for it is made once there is something to be read.
const READ: usize = 8 * 1024;

/// Sends over connections of its own.
pub(super) struct Direct {
    connector: Connector,
    pool: Option<Arc<Pool>>,
}

/// The body of an answer, and the connection that it comes from.
pub(super) struct Body {
    /// None once the body has come to its end.
    stream: Option<TcpStream>,
    buffer: BytesMut,
    framing: Framing,
    /// Where the connection goes then; none: it is closed.
    home: Option<(Arc<Pool>, Authority)>,
}

/// What ends an exchange early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the server closed the connection before its answer was complete")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Direct {
    pub fn new(timeout: Duration, idle: Option<Duration>, gate: Option<Arc<Gate>>) -> Self {
        Self { connector: Connector::new(timeout, gate), pool: idle.map(Pool::new) }
    }

    /// Sends a request to `uri` and waits for the head of its answer.
    pub async fn send(
        &self,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Unanswered> {
        let head = Bytes::from(http1::request_head(&method, &uri, &headers, body.len()));
        drop(headers);
        let home = self.pool.clone().zip(uri.authority().cloned());
        loop {
            let idle = home.as_ref().and_then(|(pool, authority)| pool.take(authority));
            let kept = idle.is_some();
            let mut stream = match idle {
                Some(stream) => stream,
                None => self.connector.connect(&uri).await?,
            };
            let mut sending = head.clone().chain(body.clone());
            let mut buffer = BytesMut::new();
            let whole = sending.remaining();
            match exchange(&mut stream, &mut sending, &mut buffer, &method).await {
                Ok(Head { status, headers, framing, keep }) => {
                    // A server may answer before it has everything; what is left would be taken for a request.
                    let home = home.filter(|_| keep && !sending.has_remaining());
                    return Ok(Answer::direct(
                        status,
                        headers,
                        Body { stream: Some(stream), buffer, framing, home },
                    ));
                }
                // The server had closed the kept connection, and nothing was written to it.
                Err(_) if kept && sending.remaining() == whole => {}
                Err(broken) => return Err(Unanswered::lost(&broken)),
            }
        }
    }
}

/// Writes a request and reads the head of its answer, whichever is possible.
async fn exchange(
    stream: &mut TcpStream,
    sending: &mut bytes::buf::Chain<Bytes, Bytes>,
    buffer: &mut BytesMut,
    method: &Method,
) -> Result<Head, Broken> {
    let (reading, mut writing) = stream.split();
    let mut refused = None;
    loop {
        tokio::select! {
            biased;
            written = writing.write_all_buf(sending), if refused.is_none() && sending.has_remaining() => {
                // Its answer, which says why, may have come before.
                refused = written.err();
            }
            read = read_more(reading.as_ref(), buffer) => {
                let closed = !matches!(read, Ok(true));
                if let Some(head) = http1::take_head(buffer, method)? {
                    return Ok(head);
                }
                if closed {
                    return Err(refused.or(read.err()).map_or(Broken::Closed, Broken::Io));
                }
            }
        }
    }
}

/// Waits for more and takes it; whether the connection is still open. Nothing is lost when it is interrupted.
async fn read_more(stream: &TcpStream, buffer: &mut BytesMut) -> io::Result<bool> {
    loop {
        stream.readable().await?;
        buffer.reserve(READ);
        match stream.try_read_buf(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return Ok(read? > 0),
        }
    }
}

impl Body {
    /// The next piece; none at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        let Some(stream) = &self.stream else { return Ok(None) };
        loop {
            match self.framing.decode(&mut self.buffer)? {
                Decoded::Data(data) => return Ok(Some(data)),
                Decoded::End => break,
                Decoded::Wanting => {}
            }
            if !read_more(stream, &mut self.buffer).await? {
                if self.framing == Framing::UntilClosed {
                    break;
                }
                return Err(Broken::Closed);
            }
        }
        if let (Some(stream), Some((pool, authority))) = (self.stream.take(), self.home.take())
            && self.buffer.is_empty()
        {
            pool.keep(authority, stream);
        }
        Ok(None)
    }
}
