//! The model: reads a conversation, waits its latency, answers as the script or the number of steps says.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::answer::Answer;
use super::conversation::ChatRequest;
use super::frames::{Frames, error};
use super::script::Script;
use super::{Shared, anthropic, openai, routes};

/// Whose wire shape is spoken.
#[derive(Clone, Copy)]
pub enum Vendor {
    /// Chat Completions.
    OpenAi,
    /// Messages.
    Anthropic,
}

/// One model call.
pub async fn call(stub: &Shared, request: Request<Incoming>, vendor: Vendor) -> Response<Frames> {
    let _in_flight = stub.stats.model_begins();
    let id = stub.stats.llm_calls.fetch_add(1, Relaxed);
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return error(StatusCode::BAD_REQUEST, "the body was cut off");
    };
    let chat: ChatRequest<'_> = match serde_json::from_slice(&body) {
        Ok(chat) => chat,
        Err(e) => return error(StatusCode::BAD_REQUEST, &e.to_string()),
    };
    let n = chat.tool_results();
    let tag = routes::header_tag(&parts.headers).map(str::to_owned).or_else(|| chat.run_tag());
    stub.stats.count_model(tag.as_deref(), n);
    let logged =
        stub.log.as_ref().map(|log| log.begin("llm", tag.as_deref(), &n.to_string(), &parts.headers));
    let script = chat.first_words().and_then(|words| Script::from_message(&words));
    let latency = script.as_ref().and_then(|s| s.latency_ms).unwrap_or_else(|| stub.latency_ms.load(Relaxed));
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    if let Some(logged) = logged {
        logged.done();
    }
    stub.stats.count_answer(tag.as_deref(), n);
    let calls = match &script {
        Some(script) => script.turns.get(chat.turns()).map_or_else(Vec::new, |calls| {
            calls.iter().map(|call| (call.tool.clone(), call.arguments.to_string())).collect()
        }),
        None if (n as u64) < stub.steps.load(Relaxed) => {
            vec![("lookup".to_owned(), format!(r#"{{"q": "{n}"}}"#))]
        }
        None => Vec::new(),
    };
    let text = script.as_ref().map_or(stub.text.as_str(), |script| script.answer.as_str());
    let model = chat.model.as_deref().unwrap_or("stub");
    let answer = Answer { id, model, text, calls, input_tokens: body.len() / 4 + 1 };
    match vendor {
        Vendor::OpenAi => openai::reply(&answer, chat.stream),
        Vendor::Anthropic => anthropic::reply(&answer, chat.stream),
    }
}
