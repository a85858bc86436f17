//! A server that answers each request with the next of its scripts, and remembers what it was asked.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use futures_util::stream;
use serde_json::Value;

/// A part of an answer's body.
#[derive(Clone)]
pub enum Frame {
    Data(Vec<u8>),
    Pause(Duration),
    /// The connection breaks.
    Cut,
    /// Nothing more ever comes.
    Hang,
}

/// One answer.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub frames: Vec<Frame>,
}

impl Reply {
    /// A body that comes at once.
    pub fn whole(status: u16, kind: &str, body: &str) -> Self {
        let headers = vec![("content-type", kind.to_owned())];
        Self { status, headers, frames: vec![Frame::Data(body.as_bytes().to_vec())] }
    }

    pub fn json(status: u16, body: &str) -> Self {
        Self::whole(status, "application/json", body)
    }

    /// A stream whose bytes come in pieces of `size`.
    pub fn stream(body: &str, size: usize) -> Self {
        let frames = body.as_bytes().chunks(size).map(|chunk| Frame::Data(chunk.to_vec())).collect();
        Self { status: 200, headers: vec![("content-type", "text/event-stream".to_owned())], frames }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn then(mut self, frame: Frame) -> Self {
        self.frames.push(frame);
        self
    }
}

/// One request as it came.
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
}

pub struct Server {
    pub url: String,
    script: Arc<Script>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Answers with `replies` in order; the last one is repeated.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script =
            Arc::new(Script { replies: Mutex::new(replies.into_iter().collect()), ..Script::default() });
        let app = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, script, task }
    }

    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.script.seen.lock().unwrap())
    }

    pub fn count(&self) -> usize {
        self.script.seen.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(script): State<Arc<Script>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    script.seen.lock().unwrap().push(Seen { path: uri.path().to_owned(), headers, body });
    let reply = {
        let mut replies = script.replies.lock().unwrap();
        if replies.len() > 1 { replies.pop_front().unwrap() } else { replies[0].clone() }
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = stream::unfold(reply.frames.into_iter(), |mut frames| async move {
        loop {
            match frames.next()? {
                Frame::Data(bytes) => {
                    // Lets each piece leave on its own.
                    tokio::task::yield_now().await;
                    return Some((Ok(Bytes::from(bytes)), frames));
                }
                Frame::Pause(time) => tokio::time::sleep(time).await,
                Frame::Cut => return Some((Err(io::Error::other("cut")), frames)),
                Frame::Hang => std::future::pending().await,
            }
        }
    });
    response.body(Body::from_stream(body)).unwrap()
}
