//! From a call to a body. Everything is written straight from what is borrowed: no tree of values is built.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Serialize, Serializer};
use serde_json::Value;

use agenticai_domain::conversation::{Message, PartRef};
use agenticai_domain::journal::ToolCall;
use agenticai_domain::spec::{ToolChoice, ToolDef};
use agenticai_domain::task::{Part, TaskError};

use super::super::config::Dialect;
use super::super::content::{DataUrl, json_text, result_text, shown_arguments};
use super::super::request::{ModelCall, Wire, refused, unwritable};

/// The body of a request.
pub(in super::super) fn body(wire: Wire, model: &str, call: &ModelCall<'_>) -> Result<Vec<u8>, TaskError> {
    let mut messages = Vec::with_capacity(call.messages.len());
    for message in &call.messages {
        messages.push(convert(wire, message)?);
    }
    let (old_bound, new_bound) = match (wire.compatible, call.model.max_output_tokens) {
        (true, bound) => (bound, None),
        (false, bound) => (None, bound),
    };
    let body = Body {
        model,
        messages,
        tools: Tools(call.tools),
        tool_choice: if call.tools.is_empty() { None } else { tool_choice(call) },
        response_format: call.output.map(|output| ResponseFormat {
            kind: "json_schema",
            json_schema: JsonSchema {
                name: "answer",
                strict: strict_takes(&output.schema),
                schema: &output.schema,
            },
        }),
        temperature: call.model.temperature,
        max_tokens: old_bound,
        max_completion_tokens: new_bound,
        reasoning_effort: call.model.reasoning_effort.as_deref(),
        stream: wire.streaming,
        stream_options: wire.streaming.then_some(StreamOptions { include_usage: true }),
    };
    serde_json::to_vec(&body).map_err(unwritable)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Out<'a>>,
    #[serde(skip_serializing_if = "Tools::is_empty")]
    tools: Tools<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'static str,
    strict: bool,
    schema: &'a Value,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Out<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Calls::is_empty")]
        tool_calls: Calls<'a>,
    },
    Tool {
        tool_call_id: &'a str,
        content: Cow<'a, str>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<OutPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutPart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: Url<'a> },
    File { file: File<'a> },
    InputAudio { input_audio: Audio<'a> },
}

#[derive(Serialize)]
struct Url<'a> {
    url: DataUrl<'a>,
}

#[derive(Serialize)]
struct File<'a> {
    filename: &'a str,
    file_data: DataUrl<'a>,
}

#[derive(Serialize)]
struct Audio<'a> {
    data: &'a str,
    format: &'static str,
}

struct Tools<'a>(&'a [ToolDef]);

impl Tools<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Tool<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            function: Function<'a>,
        }
        #[derive(Serialize)]
        struct Function<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
            parameters: &'a Value,
        }
        s.collect_seq(self.0.iter().map(|tool| Tool {
            kind: "function",
            function: Function {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
            },
        }))
    }
}

struct Calls<'a>(&'a [ToolCall]);

impl Calls<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Call<'a> {
            id: &'a str,
            #[serde(rename = "type")]
            kind: &'static str,
            function: Function<'a>,
        }
        #[derive(Serialize)]
        struct Function<'a> {
            name: &'a str,
            arguments: String,
        }
        s.collect_seq(self.0.iter().map(|call| Call {
            id: &call.id,
            kind: "function",
            function: Function { name: &call.name, arguments: json_text(&shown_arguments(&call.arguments)) },
        }))
    }
}

fn convert<'a>(wire: Wire, message: &'a Message<'a>) -> Result<Out<'a>, TaskError> {
    Ok(match message {
        Message::System(content) => Out::System { content },
        Message::User(parts) => Out::User { content: content(wire, parts)? },
        // Nothing that a provider wants to see again is known in this dialect.
        Message::Assistant { text, calls, opaque: _ } => Out::Assistant {
            // Beside calls, no words are `null`: an empty string is refused by some servers.
            content: (!text.is_empty() || calls.is_empty()).then_some(*text),
            tool_calls: Calls(calls),
        },
        Message::ToolResult { call_id, content, is_error, .. } => {
            // The dialect has no field for failures: the words must say it.
            let text = result_text(content);
            let text = if *is_error { Cow::Owned(format!("Error: {text}")) } else { text };
            Out::Tool { tool_call_id: call_id, content: text }
        }
    })
}

fn content<'a>(wire: Wire, parts: &'a [PartRef<'a>]) -> Result<Content<'a>, TaskError> {
    if let [PartRef::Text(text)] = parts {
        return Ok(Content::Text(text));
    }
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        out.push(match part {
            PartRef::Text(text) => OutPart::Text { text: Cow::Borrowed(text.as_ref()) },
            PartRef::Media(Part::Text { text }) => OutPart::Text { text: Cow::Borrowed(text) },
            PartRef::Media(_) if wire.dialect == Dialect::Practice => {
                return Err(refused(
                    "the practice model takes text only: set OPENAI_API_KEY, ANTHROPIC_API_KEY or \
                     AGENTICAI_MODEL_URL for a model that takes pictures and documents",
                ));
            }
            PartRef::Media(Part::Image { url, data, media_type }) => OutPart::ImageUrl {
                image_url: Url { url: image(url.as_deref(), data.as_deref(), media_type.as_deref())? },
            },
            PartRef::Media(Part::File { data, media_type, name }) => file(data, media_type, name.as_deref())?,
        });
    }
    Ok(Content::Parts(out))
}

fn image<'a>(
    url: Option<&'a str>,
    data: Option<&'a str>,
    media_type: Option<&'a str>,
) -> Result<DataUrl<'a>, TaskError> {
    match (url, data, media_type) {
        (Some(url), None, _) => Ok(DataUrl::Url(url)),
        (None, Some(data), Some(media_type)) => Ok(DataUrl::Data { media_type, data }),
        (None, Some(_), None) => {
            Err(refused("a picture given as `data` needs its `media_type`, such as image/png"))
        }
        _ => Err(refused("a picture needs exactly one of `url` and `data`")),
    }
}

fn file<'a>(data: &'a str, media_type: &'a str, name: Option<&'a str>) -> Result<OutPart<'a>, TaskError> {
    match media_type {
        "application/pdf" => Ok(OutPart::File {
            file: File {
                filename: name.unwrap_or("document.pdf"),
                file_data: DataUrl::Data { media_type, data },
            },
        }),
        "audio/wav" | "audio/x-wav" => Ok(OutPart::InputAudio { input_audio: Audio { data, format: "wav" } }),
        "audio/mpeg" | "audio/mp3" => Ok(OutPart::InputAudio { input_audio: Audio { data, format: "mp3" } }),
        text if text.starts_with("text/") || text == "application/json" => {
            // There is no part for plain documents: they are shown as text under their name.
            let bytes =
                BASE64.decode(data).map_err(|e| refused(format!("a file's `data` is no base64: {e}")))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| refused(format!("a file of type {media_type} must be UTF-8")))?;
            Ok(OutPart::Text { text: Cow::Owned(format!("{}:\n{text}", name.unwrap_or("document"))) })
        }
        other => Err(refused(format!(
            "a file of type {other} cannot be sent to this provider: it takes PDF, text, WAV and MP3"
        ))),
    }
}

fn tool_choice(call: &ModelCall<'_>) -> Option<&'static str> {
    match call.model.tool_choice {
        // Required for ever would forbid a final answer.
        Some(ToolChoice::Required) if call.turn == 1 => Some("required"),
        Some(ToolChoice::None) => Some("none"),
        _ => None,
    }
}

/// Whether a schema keeps to the part that `strict` takes: every object closed, every property required. Others are
/// sent as a wish, and the engine checks the answer.
fn strict_takes(schema: &Value) -> bool {
    fn keyword(name: &str) -> bool {
        matches!(
            name,
            "type"
                | "properties"
                | "required"
                | "additionalProperties"
                | "items"
                | "enum"
                | "const"
                | "description"
                | "title"
                | "anyOf"
                | "$ref"
                | "$defs"
        )
    }
    fn node(schema: &Value, depth: u32) -> bool {
        let Value::Object(map) = schema else { return false };
        if depth > 10 || !map.keys().all(|name| keyword(name)) {
            return false;
        }
        let object = map.get("type").is_some_and(|t| t == "object") || map.contains_key("properties");
        if object {
            let properties = map.get("properties").and_then(Value::as_object);
            let required = map.get("required").and_then(Value::as_array);
            let all = match (properties, required) {
                (Some(properties), Some(required)) => {
                    properties.len() == required.len()
                        && required.iter().all(|r| r.as_str().is_some_and(|r| properties.contains_key(r)))
                }
                _ => false,
            };
            if !all || map.get("additionalProperties") != Some(&Value::Bool(false)) {
                return false;
            }
        }
        ["properties", "$defs"]
            .iter()
            .filter_map(|name| map.get(*name)?.as_object())
            .flat_map(|children| children.values())
            .chain(map.get("items"))
            .chain(map.get("anyOf").and_then(Value::as_array).into_iter().flatten())
            .all(|child| node(child, depth + 1))
    }
    // The root must be an object and no choice.
    schema.get("type").is_some_and(|t| t == "object") && schema.get("anyOf").is_none() && node(schema, 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::strict_takes;

    #[test]
    fn strict_is_asked_for_only_where_it_is_taken() {
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
            "additionalProperties": false});
        assert!(strict_takes(&closed));
        let mut open = closed.clone();
        open["additionalProperties"] = json!(true);
        assert!(!strict_takes(&open));
        let mut optional = closed.clone();
        optional["properties"]["b"] = json!({"type": "integer"});
        assert!(!strict_takes(&optional));
        let mut bounded = closed.clone();
        bounded["properties"]["a"]["minLength"] = json!(3);
        assert!(!strict_takes(&bounded));
        assert!(!strict_takes(&json!({"type": "string"})));
        let mut nested = closed;
        nested["properties"]["a"] = json!({"type": "array", "items": {"type": "object", "properties": {}}});
        assert!(!strict_takes(&nested));
    }
}
