//! A model that thinks is shown its own thoughts again, as they were and where they stood.

use std::borrow::Cow;

use agenticai_agent::models::{ApiKey, ModelCall, Models, ProviderConfig};
use agenticai_domain::conversation::Message;
use agenticai_domain::journal::ToolCall;
use agenticai_domain::outcome::ModelAnswer;
use agenticai_domain::spec::ModelRef;
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{Heard, anthropic_at, config, parse, perform, tool, user};

fn thinking(thinking: &str, signature: &str) -> Value {
    json!({"type": "thinking", "thinking": thinking, "signature": signature})
}

fn tool_use(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "lookup", "input": {"q": id}})
}

/// An answer with `blocks`, all at once.
fn whole(blocks: &[Value]) -> Reply {
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks,
        "stop_reason": "end_turn", "usage": {"input_tokens": 10, "output_tokens": 5}});
    Reply::json(200, &message.to_string())
}

/// The same as a stream, each block in pieces as the vendor sends them.
fn streamed(blocks: &[Value]) -> Reply {
    let mut events =
        vec![json!({"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 10}}})];
    for (index, block) in blocks.iter().enumerate() {
        let mut begin = block.clone();
        let mut deltas = Vec::new();
        let mut piecewise = |kind: &str, field: &str, text: &str| {
            let middle = text.len() / 2;
            for piece in [&text[..middle], &text[middle..]] {
                deltas.push(json!({"type": kind, field: piece}));
            }
        };
        match block["type"].as_str().unwrap() {
            "thinking" => {
                piecewise("thinking_delta", "thinking", block["thinking"].as_str().unwrap());
                piecewise("signature_delta", "signature", block["signature"].as_str().unwrap());
                begin = thinking("", "");
            }
            "text" => {
                piecewise("text_delta", "text", block["text"].as_str().unwrap());
                begin["text"] = json!("");
            }
            "tool_use" => {
                piecewise("input_json_delta", "partial_json", &block["input"].to_string());
                begin["input"] = json!({});
            }
            _ => {}
        }
        events.push(json!({"type": "content_block_start", "index": index, "content_block": begin}));
        events.extend(
            deltas.iter().map(|d| json!({"type": "content_block_delta", "index": index, "delta": d})),
        );
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 5}}));
    events.push(json!({"type": "message_stop"}));
    let event = |e: &Value| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap());
    Reply::stream(&events.iter().map(event).collect::<String>(), 1000)
}

async fn ask(reply: Reply) -> (ModelAnswer, Heard) {
    let server = Server::start([reply]).await;
    let models = Models::new(config(anthropic_at(&server))).unwrap();
    let mut heard = Heard::default();
    let outcome = perform(&models, &ModelRef::named("claude-opus-4-8"), &mut heard).await;
    (outcome.result.unwrap(), heard)
}

/// The content of the assistant's message in the request that follows `answer`; null where there is none.
fn shown_again(answer: &ModelAnswer) -> Value {
    let model = ModelRef::named("claude-opus-4-8");
    let call = |raw: &agenticai_domain::outcome::RawCall| ToolCall {
        id: raw.id.clone(),
        name: raw.name.clone(),
        arguments: parse(&raw.arguments),
        rejected: None,
    };
    let calls: Vec<ToolCall> = answer.calls.iter().map(call).collect();
    let result = json!("ok");
    let mut messages = vec![
        user("Hi"),
        Message::Assistant { text: &answer.text, calls: &calls, opaque: answer.opaque.as_ref() },
    ];
    messages.extend(calls.iter().map(|call| Message::ToolResult {
        call_id: &call.id,
        name: &call.name,
        content: Cow::Borrowed(&result),
        is_error: false,
    }));
    messages.push(user("Go on"));
    let tools = [tool("lookup")];
    let call = ModelCall { model: &model, messages, tools: &tools, output: None, turn: 2 };
    let key = Some(ApiKey::new("k", "K"));
    let models = Models::new(config(ProviderConfig::anthropic(None, key))).unwrap();
    let request = models.build(&models.resolve(&model).unwrap(), &call).unwrap();
    assert_eq!(Models::rebuild(&request.attempt, &call).unwrap(), request.body);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    messages.iter().find(|m| m["role"] == "assistant").map_or(Value::Null, |m| m["content"].clone())
}

#[tokio::test]
async fn an_answer_is_shown_again_block_by_block() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let redacted = json!({"type": "redacted_thinking", "data": "ZW5j"});
    for blocks in [
        vec![thinking("hm", "c2ln"), text("Looking."), tool_use("t1")],
        // The vendor may leave the words out.
        vec![thinking("", "c2ln"), tool_use("t1"), tool_use("t2")],
        vec![redacted.clone(), thinking("so \u{0}", "c2ln"), tool_use("t1")],
        vec![thinking("a", "MQ"), text("Hé"), thinking("b", "Mg"), text("Two."), redacted, tool_use("t1")],
        vec![thinking("a", "MQ"), tool_use("t1"), thinking("b", "Mg"), tool_use("t2"), tool_use("t3")],
        vec![tool_use("t1")],
    ] {
        for reply in [whole(&blocks), streamed(&blocks)] {
            let (answer, heard) = ask(reply).await;
            assert_eq!(shown_again(&answer), Value::Array(blocks.clone()));
            assert_eq!(heard.words(1), answer.text, "thoughts are no words of the answer");
            let spoken: String = blocks.iter().filter_map(|b| b["text"].as_str()).collect();
            assert_eq!(answer.text, spoken);
        }
    }
}

#[tokio::test]
async fn a_thought_that_leads_to_nothing_is_not_shown_again() {
    let (answer, _) = ask(streamed(&[thinking("hm", "c2ln")])).await;
    assert!(answer.opaque.is_some() && answer.text.is_empty());
    assert_eq!(shown_again(&answer), Value::Null);
}
