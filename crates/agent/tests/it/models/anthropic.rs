//! The wire shapes of Messages.

use std::borrow::Cow;

use agenticai_agent::models::{ApiKey, ModelCall, Models, ProviderConfig};
use agenticai_domain::conversation::{Message, PartRef};
use agenticai_domain::journal::ToolCall;
use agenticai_domain::outcome::{Finish, ModelOutcome};
use agenticai_domain::spec::{ModelRef, OutputSpec, ToolChoice};
use agenticai_domain::task::{Part, codes};
use agenticai_domain::usage::{NanoUsd, Usage};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{Heard, anthropic_at, config, parse, perform, tool, user};

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

fn start() -> String {
    event(&json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude-haiku-4-5", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 100, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 700,
            "output_tokens": 1, "service_tier": "standard"}}}))
}

fn block(index: u32, block: &Value) -> String {
    event(&json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn delta(index: u32, delta: &Value) -> String {
    event(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn end(reason: &str) -> String {
    event(&json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": 50}}))
        + &event(&json!({"type": "message_stop"}))
}

async fn ask(server: &Server) -> (ModelOutcome, Heard) {
    let models = Models::new(config(anthropic_at(server))).unwrap();
    let mut heard = Heard::default();
    let outcome = perform(&models, &ModelRef::named("claude-haiku-4-5"), &mut heard).await;
    (outcome, heard)
}

#[tokio::test]
async fn every_event_is_understood_or_passed_over() {
    let stop = |index: u32| event(&json!({"type": "content_block_stop", "index": index}));
    let body = start()
        + &event(&json!({"type": "ping"}))
        + &block(0, &json!({"type": "thinking", "thinking": "", "signature": ""}))
        + &delta(0, &json!({"type": "thinking_delta", "thinking": "hmm"}))
        + &delta(0, &json!({"type": "signature_delta", "signature": "EqQB"}))
        + &stop(0)
        + &block(1, &json!({"type": "text", "text": ""}))
        + &delta(1, &json!({"type": "text_delta", "text": "Schöne "}))
        + &delta(1, &json!({"type": "citations_delta", "citation": {}}))
        + &delta(1, &json!({"type": "text_delta", "text": "Grüße 😀"}))
        + &stop(1)
        + &block(2, &json!({"type": "redacted_thinking", "data": "x"}))
        + &block(3, &json!({"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {}}))
        + &block(4, &json!({"type": "tool_use", "id": "toolu_2", "name": "other", "input": {}}))
        + &delta(3, &json!({"type": "input_json_delta", "partial_json": ""}))
        + &delta(4, &json!({"type": "input_json_delta", "partial_json": "{\"a\":"}))
        + &delta(3, &json!({"type": "input_json_delta", "partial_json": "{\"q\": \"San"}))
        + &delta(4, &json!({"type": "input_json_delta", "partial_json": "1}"}))
        + &delta(3, &json!({"type": "input_json_delta", "partial_json": " José\"}"}))
        + &stop(3)
        + &stop(4)
        + &block(5, &json!({"type": "tool_use", "id": "toolu_3", "name": "none", "input": {}}))
        + &event(&json!({"type": "something_new", "payload": [1, 2]}))
        + &end("tool_use");
    for size in [1, 5, 33, 100_000] {
        let server = Server::start([Reply::stream(&body, size)]).await;
        let (outcome, heard) = ask(&server).await;
        let answer = outcome.result.unwrap();
        assert_eq!((answer.text.as_str(), answer.finish), ("Schöne Grüße 😀", Finish::Stop));
        assert_eq!(heard.words(1), answer.text);
        let ids: Vec<&str> = answer.calls.iter().map(|c| c.id.as_str()).collect();
        assert_eq!(ids, ["toolu_1", "toolu_2", "toolu_3"]);
        assert_eq!(parse(&answer.calls[0].arguments), json!({"q": "San José"}));
        assert_eq!(parse(&answer.calls[1].arguments), json!({"a": 1}));
        assert_eq!(answer.calls[2].arguments, "{}");
        let thoughts = json!([
            {"type": "thinking", "thinking": "hmm", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "x", "text_before": answer.text.len()},
        ]);
        assert_eq!(answer.opaque, Some(thoughts));
        let usage = Usage { input_tokens: 1000, output_tokens: 50, cached_tokens: 700, reasoning_tokens: 0 };
        assert_eq!(outcome.spend.usage, usage);
        // 100 at 1, 200 at 1.25, 700 at 0.1 and 50 at 5 dollars per million.
        assert_eq!(outcome.spend.cost, Some(NanoUsd(100_000 + 250_000 + 70_000 + 250_000)));
    }
}

#[tokio::test]
async fn a_whole_message_is_taken_where_a_stream_was_asked_for() {
    let whole = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "text", "text": "Looking."}, {"type": "tool_use", "id": "t1", "name": "lookup", "input": {"q": "x"}}],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 5}});
    let server = Server::start([Reply::json(200, &whole.to_string())]).await;
    let (outcome, heard) = ask(&server).await;
    let answer = outcome.result.unwrap();
    assert_eq!(answer.text, "Looking.");
    assert_eq!(heard.words(1), "Looking.");
    assert_eq!(parse(&answer.calls[0].arguments), json!({"q": "x"}));
    assert_eq!(outcome.spend.usage.total(), 15);
}

#[tokio::test]
async fn every_reason_to_stop_is_known() {
    for (reason, finish) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("pause_turn", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("refusal", Finish::Refused),
    ] {
        let text = block(0, &json!({"type": "text", "text": "x"}));
        let server = Server::start([Reply::stream(&(start() + &text + &end(reason)), 1000)]).await;
        assert_eq!(ask(&server).await.0.result.unwrap().finish, finish, "{reason}");
    }
}

#[tokio::test]
async fn an_overloaded_stream_is_asked_again_and_both_are_charged() {
    let overloaded = start()
        + &event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}));
    let fine = start() + &block(0, &json!({"type": "text", "text": "ok"})) + &end("end_turn");
    let busy = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let server = Server::start([
        Reply::stream(&overloaded, 1000),
        Reply::json(529, &busy.to_string()),
        Reply::stream(&fine, 1000),
    ])
    .await;
    let (outcome, heard) = ask(&server).await;
    assert_eq!(outcome.result.unwrap().text, "ok");
    assert_eq!(outcome.attempts, 3);
    assert_eq!(heard.words(3), "ok");
    assert_eq!((outcome.spend.usage.input_tokens, outcome.spend.usage.output_tokens), (2000, 51));
    let attempts: Vec<String> =
        server.seen().iter().map(|seen| seen.header("x-agenticai-attempt").to_owned()).collect();
    assert_eq!(attempts, ["1", "2", "3"]);
}

#[tokio::test]
async fn an_error_of_another_dialect_in_a_stream_is_told() {
    let error =
        "event: error\ndata: {\"code\":500,\"message\":\"no such format\",\"type\":\"server_error\"}\n\n";
    let server = Server::start([Reply::stream(&(start() + error), 1000)]).await;
    let outcome = ask(&server).await.0;
    let failed = outcome.result.unwrap_err();
    assert_eq!((failed.code.as_str(), outcome.attempts), (codes::MODEL_UNAVAILABLE, 3));
    assert!(failed.message.contains("no such format"), "{}", failed.message);
}

#[tokio::test]
async fn refusals_end_the_call_at_once() {
    for (status, kind, message, code, said) in [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 208310 tokens > 200000 maximum",
            codes::CONTEXT_OVERFLOW,
            "",
        ),
        (400, "invalid_request_error", "max_tokens: 9 > 8", codes::MODEL_REFUSED, "max_tokens"),
        (401, "authentication_error", "invalid x-api-key", codes::MODEL_REFUSED, "ANTHROPIC_API_KEY"),
        (403, "permission_error", "no", codes::MODEL_REFUSED, "ANTHROPIC_API_KEY"),
        (404, "not_found_error", "model: claude-haiku-4-5", codes::MODEL_REFUSED, "claude-haiku-4-5"),
        (413, "request_too_large", "too large", codes::CONTEXT_OVERFLOW, ""),
    ] {
        let body =
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
        let server = Server::start([Reply::json(status, &body.to_string())]).await;
        let outcome = ask(&server).await.0;
        let error = outcome.result.unwrap_err();
        assert_eq!(error.code, code, "{message}");
        assert!(error.message.contains(said), "{}", error.message);
        assert_eq!((outcome.attempts, server.count()), (1, 1));
    }
}

#[tokio::test]
async fn the_request_names_version_and_key() {
    let fine = start() + &block(0, &json!({"type": "text", "text": "ok"})) + &end("end_turn");
    let server = Server::start([Reply::stream(&fine, 1000)]).await;
    ask(&server).await.0.result.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.header("x-api-key"), "ak-test");
    assert_eq!(seen.header("anthropic-version"), "2023-06-01");
    assert_eq!(seen.header("authorization"), "");
    assert_eq!(seen.json()["max_tokens"], 8192);
}

#[test]
fn a_conversation_is_written_as_the_reference_says() {
    let calls = [
        ToolCall {
            id: "toolu_1".into(),
            name: "lookup".into(),
            arguments: json!({"q": "x"}),
            rejected: None,
        },
        ToolCall { id: "call:2".into(), name: "lookup".into(), arguments: json!("oops"), rejected: None },
    ];
    let (ok, failed) = (json!({"n": 1}), json!("it broke"));
    let parts = [
        Part::Image { url: Some("https://x/y.png".into()), data: None, media_type: None },
        Part::Image { url: None, data: Some("QUJD".into()), media_type: Some("image/png".into()) },
        Part::File { data: "QUJD".into(), media_type: "application/pdf".into(), name: Some("a.pdf".into()) },
        Part::File { data: "QUJD".into(), media_type: "text/markdown".into(), name: None },
    ];
    let mut shown = vec![PartRef::Text("see".into())];
    shown.extend(parts.iter().map(PartRef::Media));
    let mut model = ModelRef::named("claude-haiku-4-5");
    model.max_output_tokens = Some(100);
    model.temperature = Some(0.5);
    model.reasoning_effort = Some("low".into());
    model.tool_choice = Some(ToolChoice::Required);
    let output = OutputSpec { schema: json!({"type": "object"}), max_repairs: 2 };
    let tools = [tool("lookup")];
    let call = ModelCall {
        model: &model,
        messages: vec![
            Message::System("Be brief."),
            Message::User(shown),
            Message::Assistant { text: "", calls: &calls, opaque: None },
            Message::ToolResult {
                call_id: "toolu_1",
                name: "lookup",
                content: Cow::Borrowed(&ok),
                is_error: false,
            },
            Message::ToolResult {
                call_id: "call:2",
                name: "lookup",
                content: Cow::Borrowed(&failed),
                is_error: true,
            },
            user("and?"),
            Message::Assistant { text: "  ", calls: &[], opaque: None },
            Message::System("Stay brief."),
            user("go on"),
        ],
        tools: &tools,
        output: Some(&output),
        turn: 1,
    };
    let key = Some(ApiKey::new("k", "K"));
    let models = Models::new(config(ProviderConfig::anthropic(None, key))).unwrap();
    let served = models.resolve(&model).unwrap();
    let mut body: Value = serde_json::from_slice(&models.build(&served, &call).unwrap().body).unwrap();
    let system = body["system"].take();
    let system = system.as_str().unwrap();
    assert!(system.starts_with("Be brief.\n\nStay brief.\n\n"), "{system}");
    assert!(system.ends_with("{\"type\":\"object\"}"), "{system}");
    let expected = json!({
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "system": null,
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                {"type": "document", "title": "a.pdf",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ABC"}}
            ]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"q": "x"}},
                {"type": "tool_use", "id": "call_2", "name": "lookup", "input": {"invalid_arguments": "oops"}}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "{\"n\":1}"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": "it broke", "is_error": true},
                {"type": "text", "text": "and?"},
                {"type": "text", "text": "go on"}
            ]}
        ],
        "tools": [{"name": "lookup", "description": "Does it.", "input_schema": tools[0].parameters}],
        "tool_choice": {"type": "any"},
        "temperature": 0.5,
        "output_config": {"effort": "low"},
        "stream": true
    });
    assert_eq!(body, expected);
}
