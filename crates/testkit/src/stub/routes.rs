//! Connections and routes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::frames::{Frames, error, json};
use super::models::{self, Vendor};
use super::{Shared, tools};

/// The connection is to end without an answer.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut off on demand")
    }
}

impl std::error::Error for Cut {}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, stub: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // For example out of file descriptors: some will be closed soon.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let stub = stub.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let stub = stub.clone();
                async move { handle(&stub, request).await }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn handle(stub: &Shared, request: Request<Incoming>) -> Result<Response<Frames>, Cut> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/chat/completions") => models::call(stub, request, Vendor::OpenAi).await,
        (&Method::POST, "/v1/messages") => models::call(stub, request, Vendor::Anthropic).await,
        (&Method::GET, "/v1/models") => json(r#"{"object":"list","data":[{"id":"stub","object":"model"}]}"#),
        (&Method::GET, "/tool/lookup") => return tools::call(stub, "lookup", request).await,
        (&Method::POST, "/tool/note") => return tools::call(stub, "note", request).await,
        (&Method::POST, "/tool/charge") => return tools::call(stub, "charge", request).await,
        (&Method::GET, "/stats") => json(stub.stats.to_json(stub.steps.load(Relaxed) as usize).to_string()),
        (&Method::POST, "/reset") => reset(stub, &request),
        _ => error(StatusCode::NOT_FOUND, "no such route"),
    })
}

fn reset(stub: &Shared, request: &Request<Incoming>) -> Response<Frames> {
    stub.stats.reset();
    for (name, cell) in
        [("latency_ms", &stub.latency_ms), ("tool_latency_ms", &stub.tool_latency_ms), ("steps", &stub.steps)]
    {
        if let Some(value) = query(request, name).and_then(|value| value.parse().ok()) {
            cell.store(value, Relaxed);
        }
    }
    json("{}")
}

/// The run tag of a request that carries it in a header.
pub fn header_tag(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-agenticai-task").or_else(|| headers.get("x-run-tag")).and_then(|tag| tag.to_str().ok())
}

/// A query parameter, undecoded: the stub's own are digits and names.
pub fn query<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
