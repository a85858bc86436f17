//! Bodies of answers: frames that are ready at once, so that a stream costs no task and no channel.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// One frame for plain JSON, several for server-sent events.
pub struct Frames(pub VecDeque<Bytes>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.0.len() > 1 {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.0.front().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// An answer of server-sent events.
pub fn events(frames: VecDeque<Bytes>) -> Response<Frames> {
    reply(StatusCode::OK, "text/event-stream", frames)
}

/// An answer of plain JSON.
pub fn json(body: impl Into<Bytes>) -> Response<Frames> {
    reply(StatusCode::OK, "application/json", VecDeque::from([body.into()]))
}

/// An error as both vendors shape theirs.
pub fn error(status: StatusCode, message: &str) -> Response<Frames> {
    let body =
        serde_json::json!({"error": {"type": "invalid_request_error", "message": message}}).to_string();
    reply(status, "application/json", VecDeque::from([body.into()]))
}

/// One server-sent event.
pub fn event(name: Option<&str>, data: &str) -> Bytes {
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n").into(),
        None => format!("data: {data}\n\n").into(),
    }
}

fn reply(status: StatusCode, kind: &'static str, frames: VecDeque<Bytes>) -> Response<Frames> {
    let mut reply = Response::new(Frames(frames));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
