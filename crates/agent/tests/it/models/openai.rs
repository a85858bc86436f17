//! The wire shapes of Chat Completions.

use std::borrow::Cow;

use agenticai_agent::models::{ModelCall, Models, ProviderConfig};
use agenticai_domain::conversation::{Message, PartRef};
use agenticai_domain::journal::ToolCall;
use agenticai_domain::outcome::Finish;
use agenticai_domain::spec::{ModelRef, OutputSpec, ToolChoice};
use agenticai_domain::task::{Part, codes};
use agenticai_domain::usage::{NanoUsd, Usage};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{Heard, ask, config, openai, parse, perform, tool, user};

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini",
        "service_tier": "default", "system_fingerprint": "fp",
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}], "usage": null});
    format!("data: {chunk}\n\n")
}

fn usage_chunk() -> String {
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200,
        "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}});
    let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": usage});
    format!("data: {chunk}\n\n")
}

fn words_stream() -> String {
    chunk(&json!({"role": "assistant", "content": "", "refusal": null}), None)
        + &chunk(&json!({"content": "Grüße"}), None)
        + &chunk(&json!({"content": ", 世界"}), None)
        + &chunk(&json!({"content": " 😀"}), None)
        + &chunk(&json!({}), Some("stop"))
        + &usage_chunk()
        + "data: [DONE]\n\n"
}

#[tokio::test]
async fn words_usage_and_cost_come_through_every_cut() {
    for size in [1, 2, 3, 7, 64, 100_000] {
        let server = Server::start([Reply::stream(&words_stream(), size)]).await;
        let (outcome, heard) = ask(&server).await;
        let answer = outcome.result.unwrap();
        assert_eq!(answer.text, "Grüße, 世界 😀");
        assert_eq!((answer.finish, outcome.attempts), (Finish::Stop, 1));
        assert_eq!(heard.words(1), answer.text);
        let usage =
            Usage { input_tokens: 1000, output_tokens: 200, cached_tokens: 400, reasoning_tokens: 64 };
        assert_eq!(outcome.spend.usage, usage);
        // 600 at 0.25, 400 at 0.025, 200 at 2 dollars per million.
        assert_eq!(outcome.spend.cost, Some(NanoUsd(150_000 + 10_000 + 400_000)));
    }
}

#[tokio::test]
async fn parallel_calls_are_told_apart_by_index() {
    let part = |index: u32, id: Option<&str>, name: Option<&str>, arguments: &str| {
        let mut call = json!({"index": index, "function": {"arguments": arguments}});
        if let (Some(id), Some(name)) = (id, name) {
            call["id"] = json!(id);
            call["type"] = json!("function");
            call["function"]["name"] = json!(name);
        }
        chunk(&json!({"tool_calls": [call]}), None)
    };
    let body = part(0, Some("call_a"), Some("lookup"), "")
        + &part(1, Some("call_b"), Some("other"), "")
        + &part(1, None, None, "{\"q\":")
        + &part(0, None, None, "{\"q\": \"x")
        + &part(1, None, None, "2}")
        + &part(0, None, None, "\u{e9}\"}")
        + &chunk(&json!({}), Some("tool_calls"))
        + "data: [DONE]\n\n";
    let server = Server::start([Reply::stream(&body, 11)]).await;
    let (outcome, _) = ask(&server).await;
    let calls = outcome.result.unwrap().calls;
    assert_eq!(calls.len(), 2);
    assert_eq!((calls[0].id.as_str(), calls[0].name.as_str()), ("call_a", "lookup"));
    assert_eq!(parse(&calls[0].arguments), json!({"q": "xé"}));
    assert_eq!((calls[1].id.as_str(), calls[1].name.as_str()), ("call_b", "other"));
    assert_eq!(parse(&calls[1].arguments), json!({"q": 2}));
}

#[tokio::test]
async fn servers_that_number_their_calls_badly_are_understood() {
    // All calls at index 0 with ids of their own; no index at all; no ids, arguments as an object, no `[DONE]`.
    let calls = json!({"tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "lookup", "arguments": "{\"q\":\"1\"}"}},
        {"index": 0, "id": "b", "function": {"name": "lookup", "arguments": "{\"q\":\"2\"}"}}]});
    let more = json!({"tool_calls": [{"id": "c", "function": {"name": "lookup", "arguments": ""}}]});
    let body = chunk(&calls, None) + &chunk(&more, Some("stop"));
    let server = Server::start([Reply::stream(&body, 50)]).await;
    let calls = ask(&server).await.0.result.unwrap().calls;
    let seen: Vec<(&str, &str)> = calls.iter().map(|c| (c.id.as_str(), c.arguments.as_str())).collect();
    assert_eq!(seen, [("a", "{\"q\":\"1\"}"), ("b", "{\"q\":\"2\"}"), ("c", "{}")]);

    let whole = json!({"choices": [{"message": {"role": "assistant", "content": [{"type": "text", "text": "let me"}],
        "tool_calls": [{"function": {"name": "lookup", "arguments": {"q": "1"}}},
            {"function": {"name": "lookup", "arguments": {"q": "2"}}}]}, "finish_reason": "function_call"}]});
    let server = Server::start([Reply::json(200, &whole.to_string())]).await;
    let answer = ask(&server).await.0.result.unwrap();
    assert_eq!(answer.text, "let me");
    let ids: Vec<&str> = answer.calls.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["call_3_0", "call_3_1"], "the next request needs an id for each");
    assert_eq!(answer.calls[1].arguments, "{\"q\":\"2\"}");
}

#[tokio::test]
async fn every_reason_to_stop_is_known() {
    for (reason, finish) in [
        ("stop", Finish::Stop),
        ("tool_calls", Finish::Stop),
        ("function_call", Finish::Stop),
        ("length", Finish::Length),
        ("content_filter", Finish::Refused),
        ("eos", Finish::Stop),
    ] {
        let body =
            chunk(&json!({"content": "x"}), None) + &chunk(&json!({}), Some(reason)) + "data: [DONE]\n\n";
        let server = Server::start([Reply::stream(&body, 1000)]).await;
        assert_eq!(ask(&server).await.0.result.unwrap().finish, finish, "{reason}");
    }
    let body = chunk(&json!({"refusal": "I can"}), None) + &chunk(&json!({"refusal": "not."}), Some("stop"));
    let server = Server::start([Reply::stream(&body, 1000)]).await;
    let answer = ask(&server).await.0.result.unwrap();
    assert_eq!((answer.finish, answer.text.as_str()), (Finish::Refused, "I cannot."));
}

#[tokio::test]
async fn usage_that_nobody_counted_is_estimated() {
    let body = chunk(&json!({"content": "12345678"}), Some("stop"));
    let server = Server::start([Reply::stream(&body, 1000)]).await;
    let outcome = ask(&server).await.0;
    assert_eq!(outcome.spend.usage.output_tokens, 2);
    let sent = server.seen().remove(0).body.len() as u64;
    assert_eq!(outcome.spend.usage.input_tokens, sent.div_ceil(4));
}

#[tokio::test]
async fn the_request_carries_key_and_identity() {
    let server = Server::start([Reply::stream(&words_stream(), 1000)]).await;
    ask(&server).await.0.result.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.path, "/v1/chat/completions");
    let task = "00000000-0000-0000-0000-000000000007";
    for (name, value) in [
        ("authorization", "Bearer sk-test"),
        ("content-type", "application/json"),
        ("x-agenticai-task", task),
        ("x-agenticai-step", "3"),
        ("x-agenticai-epoch", "4"),
        ("x-agenticai-attempt", "1"),
        ("traceparent", "00-11111111111111111111111111111111-2222222222222222-01"),
        ("idempotency-key", &format!("{task}/3")),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let body = seen.json();
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert_eq!(body["tools"][0]["function"]["name"], "lookup");
    assert_eq!(body["messages"], json!([{"role": "user", "content": "Hi"}]));
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_stream() {
    let server = Server::start([Reply::stream(&words_stream(), 10)]).await;
    let models = Models::new(config(openai(&server))).unwrap();
    for _ in 0..3 {
        perform(&models, &ModelRef::named("gpt-5-mini"), &mut Heard::default()).await.result.unwrap();
    }
    assert_eq!(server.count(), 3);
}

#[test]
fn a_conversation_is_written_as_the_reference_says() {
    let calls = [
        ToolCall { id: "c1".into(), name: "lookup".into(), arguments: json!({"q": "x"}), rejected: None },
        ToolCall {
            id: "c2".into(),
            name: "lookup".into(),
            arguments: json!("{oops"),
            rejected: Some("no".into()),
        },
    ];
    let (ok, failed) = (json!({"n": 1}), json!("it broke"));
    let parts = [
        Part::Image { url: Some("https://x/y.png".into()), data: None, media_type: None },
        Part::Image { url: None, data: Some("QUJD".into()), media_type: Some("image/png".into()) },
        Part::File { data: "QUJD".into(), media_type: "application/pdf".into(), name: Some("a.pdf".into()) },
        Part::File { data: "QUJD".into(), media_type: "text/plain".into(), name: Some("a.txt".into()) },
        Part::File { data: "QUJD".into(), media_type: "audio/wav".into(), name: None },
    ];
    let mut shown = vec![PartRef::Text("see".into())];
    shown.extend(parts.iter().map(PartRef::Media));
    let mut model = ModelRef::named("gpt-5-mini");
    model.max_output_tokens = Some(100);
    model.temperature = Some(0.5);
    model.reasoning_effort = Some("low".into());
    model.tool_choice = Some(ToolChoice::Required);
    let schema = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    let output = OutputSpec { schema: schema.clone(), max_repairs: 2 };
    let tools = [tool("lookup")];
    let call = ModelCall {
        model: &model,
        messages: vec![
            Message::System("Be brief."),
            Message::User(shown),
            Message::Assistant { text: "", calls: &calls, opaque: None },
            Message::ToolResult {
                call_id: "c1",
                name: "lookup",
                content: Cow::Borrowed(&ok),
                is_error: false,
            },
            Message::ToolResult {
                call_id: "c2",
                name: "lookup",
                content: Cow::Borrowed(&failed),
                is_error: true,
            },
            Message::Assistant { text: "hm", calls: &[], opaque: None },
            user("go on"),
        ],
        tools: &tools,
        output: Some(&output),
        turn: 1,
    };
    let body = |provider: ProviderConfig, call: &ModelCall<'_>| {
        let models = Models::new(config(provider)).unwrap();
        let served = models.resolve(call.model).unwrap();
        serde_json::from_slice::<Value>(&models.build(&served, call).unwrap().body).unwrap()
    };
    let key = || Some(agenticai_agent::models::ApiKey::new("k", "K"));
    let expected = json!({
        "model": "gpt-5-mini",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
                {"type": "text", "text": "a.txt:\nABC"},
                {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{\"q\":\"x\"}"}},
                {"id": "c2", "type": "function", "function": {"name": "lookup",
                    "arguments": "{\"invalid_arguments\":\"{oops\"}"}}
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "{\"n\":1}"},
            {"role": "tool", "tool_call_id": "c2", "content": "Error: it broke"},
            {"role": "assistant", "content": "hm"},
            {"role": "user", "content": "go on"}
        ],
        "tools": [{"type": "function", "function": {"name": "lookup", "description": "Does it.",
            "parameters": tools[0].parameters}}],
        "tool_choice": "required",
        "response_format": {"type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": schema}},
        "temperature": 0.5,
        "max_completion_tokens": 100,
        "reasoning_effort": "low",
        "stream": true,
        "stream_options": {"include_usage": true}
    });
    assert_eq!(body(ProviderConfig::openai(None, key()), &call), expected);

    let mut local = ProviderConfig::compatible("local", "http://127.0.0.1:1/v1".into(), None);
    local.streaming = false;
    let second = ModelCall { turn: 2, ..call.clone() };
    let body = body(local, &second);
    assert_eq!(body["max_tokens"], 100);
    assert_eq!(body["stream"], false);
    for absent in ["max_completion_tokens", "stream_options", "tool_choice"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn parts_that_cannot_be_sent_are_refused_before_sending() {
    let models =
        Models::new(config(ProviderConfig::compatible("c", "http://127.0.0.1:1/v1".into(), None))).unwrap();
    let model = ModelRef::named("m");
    let served = models.resolve(&model).unwrap();
    for (part, said) in [
        (Part::File { data: "".into(), media_type: "video/mp4".into(), name: None }, "video/mp4"),
        (Part::Image { url: None, data: None, media_type: None }, "exactly one"),
        (Part::Image { url: None, data: Some("QQ==".into()), media_type: None }, "media_type"),
        (Part::File { data: "%%".into(), media_type: "text/plain".into(), name: None }, "base64"),
        (Part::File { data: "/w==".into(), media_type: "text/plain".into(), name: None }, "UTF-8"),
    ] {
        let messages = vec![Message::User(vec![PartRef::Media(&part)])];
        let call = ModelCall { model: &model, messages, tools: &[], output: None, turn: 1 };
        let error = models.build(&served, &call).unwrap_err();
        assert_eq!(error.code, codes::MODEL_REFUSED);
        assert!(error.message.contains(said), "{}", error.message);
    }
}
