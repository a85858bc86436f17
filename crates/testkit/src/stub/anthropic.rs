//! Answers in the shape of Anthropic's Messages.

use std::collections::VecDeque;

use hyper::Response;

use super::answer::{Answer, pieces, quoted};
use super::frames::{Frames, event, events, json};

/// The answer, plain or streamed.
pub fn reply(answer: &Answer<'_>, stream: bool) -> Response<Frames> {
    if stream { streamed(answer) } else { plain(answer) }
}

fn stop_reason(answer: &Answer<'_>) -> &'static str {
    if answer.calls.is_empty() { "end_turn" } else { "tool_use" }
}

fn tool_use(answer: &Answer<'_>, i: usize, input: &str) -> String {
    let (id, tool) = (answer.call_id("toolu", i), quoted(&answer.calls[i].0));
    format!(r#"{{"type":"tool_use","id":"{id}","name":{tool},"input":{input}}}"#)
}

fn plain(answer: &Answer<'_>) -> Response<Frames> {
    let content = if answer.calls.is_empty() {
        format!(r#"{{"type":"text","text":{}}}"#, quoted(answer.text))
    } else {
        let blocks: Vec<_> =
            answer.calls.iter().enumerate().map(|(i, (_, input))| tool_use(answer, i, input)).collect();
        blocks.join(",")
    };
    let (id, model, reason) = (answer.id, quoted(answer.model), stop_reason(answer));
    let (read, written) = (answer.input_tokens, answer.output_tokens());
    json(format!(
        r#"{{"id":"msg_{id}","type":"message","role":"assistant","model":{model},"content":[{content}],"stop_reason":"{reason}","stop_sequence":null,"usage":{{"input_tokens":{read},"output_tokens":{written}}}}}"#
    ))
}

fn streamed(answer: &Answer<'_>) -> Response<Frames> {
    let (id, model, read) = (answer.id, quoted(answer.model), answer.input_tokens);
    let mut frames = VecDeque::new();
    let mut push = |name: &str, rest: &str| {
        frames.push_back(event(Some(name), &format!(r#"{{"type":"{name}"{rest}}}"#)));
    };
    push(
        "message_start",
        &format!(
            r#","message":{{"id":"msg_{id}","type":"message","role":"assistant","model":{model},"content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":{read},"output_tokens":1}}}}"#
        ),
    );
    let mut block = |i: usize, open: String, kind: &str, field: &str, text: &str| {
        push("content_block_start", &format!(r#","index":{i},"content_block":{open}"#));
        for piece in pieces(text) {
            let delta = format!(r#"{{"type":"{kind}","{field}":{piece}}}"#);
            push("content_block_delta", &format!(r#","index":{i},"delta":{delta}"#));
        }
        push("content_block_stop", &format!(r#","index":{i}"#));
    };
    if answer.calls.is_empty() {
        block(0, r#"{"type":"text","text":""}"#.into(), "text_delta", "text", answer.text);
    }
    for (i, (_, input)) in answer.calls.iter().enumerate() {
        block(i, tool_use(answer, i, "{}"), "input_json_delta", "partial_json", input);
    }
    let (reason, written) = (stop_reason(answer), answer.output_tokens());
    push(
        "message_delta",
        &format!(
            r#","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{{"output_tokens":{written}}}"#
        ),
    );
    push("message_stop", "");
    events(frames)
}
