//! The tools: each call is counted, logged, waits its latency and then takes effect.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use super::frames::{Frames, error, json};
use super::routes::{Cut, header_tag, query};
use super::{Shared, answer};

/// What a call's arguments may ask of the stub itself.
#[derive(Default, Deserialize)]
struct Wishes {
    #[serde(default)]
    latency_ms: Option<u64>,
    #[serde(default)]
    cut: bool,
    #[serde(default)]
    cut_after: bool,
}

/// One tool call; `what` is the tool.
pub async fn call(stub: &Shared, what: &str, request: Request<Incoming>) -> Result<Response<Frames>, Cut> {
    let _in_flight = stub.stats.tool_begins();
    stub.stats.tool_calls.fetch_add(1, Relaxed);
    let tag = header_tag(request.headers()).or_else(|| query(&request, "run_tag")).map(str::to_owned);
    let (parts, arguments, wishes) = if request.method() == Method::GET {
        let q = query(&request, "q").unwrap_or("").to_owned();
        let latency_ms = query(&request, "latency_ms").and_then(|ms| ms.parse().ok());
        (request.into_parts().0, q, Wishes { latency_ms, ..Wishes::default() })
    } else {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
            return Ok(error(StatusCode::BAD_REQUEST, "the body was cut off"));
        };
        let wishes = serde_json::from_slice(&body).unwrap_or_default();
        (parts, String::from_utf8_lossy(&body).into_owned(), wishes)
    };
    let key = parts.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or("");
    let logged = stub.log.as_ref().map(|log| log.begin(what, tag.as_deref(), &arguments, &parts.headers));
    stub.stats.count_tool(tag.as_deref(), format!("{what} {arguments}"));
    let first = || stub.cut.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    if wishes.cut && first() {
        return Err(Cut);
    }
    // It takes effect before it answers: a client that is killed in between cannot know, which is the worst case.
    stub.stats.perform(key);
    if wishes.cut_after && first() {
        return Err(Cut);
    }
    let latency = wishes.latency_ms.unwrap_or_else(|| stub.tool_latency_ms.load(Relaxed));
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    if let Some(logged) = logged {
        logged.done();
    }
    Ok(json(format!(r#"{{"q":{},"result":{}}}"#, answer::quoted(&arguments), answer::quoted(&stub.text))))
}
