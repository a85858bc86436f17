//! Answers in the shape of OpenAI's Chat Completions.

use std::collections::VecDeque;

use hyper::Response;

use super::answer::{Answer, pieces, quoted};
use super::frames::{Frames, event, events, json};

/// The answer, plain or streamed.
pub fn reply(answer: &Answer<'_>, stream: bool) -> Response<Frames> {
    if stream { streamed(answer) } else { plain(answer) }
}

fn usage(answer: &Answer<'_>) -> String {
    let (read, written) = (answer.input_tokens, answer.output_tokens());
    format!(r#"{{"prompt_tokens":{read},"completion_tokens":{written},"total_tokens":{}}}"#, read + written)
}

fn finish(answer: &Answer<'_>) -> &'static str {
    if answer.calls.is_empty() { "stop" } else { "tool_calls" }
}

fn plain(answer: &Answer<'_>) -> Response<Frames> {
    let message = if answer.calls.is_empty() {
        format!(r#"{{"role":"assistant","content":{}}}"#, quoted(answer.text))
    } else {
        let call = |(i, (tool, arguments)): (usize, &(String, String))| {
            let (id, tool, arguments) = (answer.call_id("call", i), quoted(tool), quoted(arguments));
            format!(
                r#"{{"id":"{id}","type":"function","function":{{"name":{tool},"arguments":{arguments}}}}}"#
            )
        };
        let calls: Vec<_> = answer.calls.iter().enumerate().map(call).collect();
        format!(r#"{{"role":"assistant","content":null,"tool_calls":[{}]}}"#, calls.join(","))
    };
    let (id, model, finish, usage) = (answer.id, quoted(answer.model), finish(answer), usage(answer));
    json(format!(
        r#"{{"id":"chatcmpl-{id}","object":"chat.completion","created":1700000000,"model":{model},"choices":[{{"index":0,"message":{message},"logprobs":null,"finish_reason":"{finish}"}}],"usage":{usage}}}"#
    ))
}

fn streamed(answer: &Answer<'_>) -> Response<Frames> {
    let (id, model) = (answer.id, quoted(answer.model));
    let head = format!(
        r#"{{"id":"chatcmpl-{id}","object":"chat.completion.chunk","created":1700000000,"model":{model},"#
    );
    let chunk = |delta: &str, finish: &str| {
        event(None, &format!(r#"{head}"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#))
    };
    let mut frames = VecDeque::new();
    if answer.calls.is_empty() {
        frames.push_back(chunk(r#"{"role":"assistant","content":""}"#, "null"));
        for piece in pieces(answer.text) {
            frames.push_back(chunk(&format!(r#"{{"content":{piece}}}"#), "null"));
        }
    } else {
        for (i, (tool, arguments)) in answer.calls.iter().enumerate() {
            let (id, tool) = (answer.call_id("call", i), quoted(tool));
            let role = if i == 0 { r#""role":"assistant","content":null,"# } else { "" };
            let open = format!(
                r#"{{{role}"tool_calls":[{{"index":{i},"id":"{id}","type":"function","function":{{"name":{tool},"arguments":""}}}}]}}"#
            );
            frames.push_back(chunk(&open, "null"));
            for piece in pieces(arguments) {
                let delta =
                    format!(r#"{{"tool_calls":[{{"index":{i},"function":{{"arguments":{piece}}}}}]}}"#);
                frames.push_back(chunk(&delta, "null"));
            }
        }
    }
    frames.push_back(chunk("{}", &format!("\"{}\"", finish(answer))));
    frames.push_back(event(None, &format!(r#"{head}"choices":[],"usage":{}}}"#, usage(answer))));
    frames.push_back(event(None, "[DONE]"));
    events(frames)
}
