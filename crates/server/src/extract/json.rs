//! JSON bodies.

use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use agenticai_domain::task::InputMessage;

use crate::problem::{ApiError, BAD_REQUEST, BODY_TOO_LARGE, MALFORMED_JSON, UNSUPPORTED_MEDIA_TYPE};
use crate::state::Api;

/// A body of type `T`. Text that is no JSON is told apart from JSON that does not fit.
pub(crate) struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::new(
                UNSUPPORTED_MEDIA_TYPE,
                "Send the body as JSON, with the header `Content-Type: application/json`.",
            ));
        }
        let limit = api.settings.body_limit;
        let body = Bytes::from_request(request, api).await.map_err(|why| match why {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ApiError::new(BODY_TOO_LARGE, format!("A body may have up to {limit} bytes."))
            }
            other => ApiError::new(BAD_REQUEST, format!("The body could not be read: {other}.")),
        })?;
        read(&body).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let why = error.into_inner();
        if why.is_data() { misfit(body, path, &why) } else { malformed(&why) }
    })?;
    reader.end().map_err(|why| malformed(&why))?;
    Ok(value)
}

fn malformed(why: &serde_json::Error) -> ApiError {
    ApiError::new(MALFORMED_JSON, format!("The body is no JSON: {why}."))
}

fn misfit(body: &[u8], path: String, why: &serde_json::Error) -> ApiError {
    // Where a type takes one of several shapes, serde says only that none fits. What people mostly get wrong is a
    // message, so that shape is read again by itself for its message.
    if path == "input" {
        let input = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|mut body| body.get_mut("input").map(Value::take));
        return match input {
            Some(Value::Array(messages)) => bad_message(messages),
            _ => ApiError::invalid("input", "must be a text, a list of messages, or an object of arguments"),
        };
    }
    // A place is added by the path; the position in the text would only repeat it.
    let text = why.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    ApiError::invalid(if path == "." { "body".to_owned() } else { path }, message)
}

fn bad_message(messages: Vec<Value>) -> ApiError {
    for (i, mut message) in messages.into_iter().enumerate() {
        let at = format!("input[{i}]");
        let Some(parts) = message.get_mut("content").filter(|content| content.is_array()) else {
            match serde_path_to_error::deserialize::<_, InputMessage>(message) {
                Ok(_) => continue,
                Err(error) if error.path().to_string() == "content" => {
                    return ApiError::invalid(format!("{at}.content"), "must be a text or a list of parts");
                }
                Err(error) => return ApiError::invalid(at, error.inner().to_string()),
            }
        };
        let Value::Array(parts) = parts.take() else { continue };
        for (j, part) in parts.into_iter().enumerate() {
            if let Err(error) = serde_json::from_value::<agenticai_domain::task::Part>(part) {
                return ApiError::invalid(format!("{at}.content[{j}]"), error.to_string());
            }
        }
        if let Some(content) = message.get_mut("content") {
            *content = Value::String(String::new());
        }
        if let Err(error) = serde_json::from_value::<InputMessage>(message) {
            return ApiError::invalid(at, error.to_string());
        }
    }
    ApiError::invalid("input", "must be a list of messages `{role, content}`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use agenticai_wire::CreateTaskRequest;

    use super::*;

    fn refused(body: &str) -> (&'static str, String) {
        let error = read::<CreateTaskRequest>(body.as_bytes()).expect_err(body);
        let kind = error.kind().name;
        let response = format!("{error:?}");
        (kind, response)
    }

    #[test]
    fn mistakes_are_told_apart_and_placed() {
        for (body, kind, says) in [
            ("", "malformed-json", "EOF"),
            (r#"{"agent": "#, "malformed-json", "EOF"),
            (r#"{"agent": "a", "input": "x"} trailing"#, "malformed-json", "trailing"),
            (r#"{"agent": 7, "input": "x"}"#, "invalid-request", "agent: invalid type"),
            (r#"{"agent": "a"}"#, "invalid-request", "missing field `input`"),
            (r#"{"agent": "a", "input": "x", "prio": 1}"#, "invalid-request", "unknown field `prio`"),
            (r#"{"agent": "a", "input": "x", "priority": 999}"#, "invalid-request", "priority: "),
            (r#"{"agent": "a", "input": 7}"#, "invalid-request", "input: must be a text"),
            (
                r#"{"agent": "a", "input": [{"role": "boss", "content": "x"}]}"#,
                "invalid-request",
                "input[0]: unknown",
            ),
            (
                r#"{"agent": "a", "input": [{"role": "user", "content": 7}]}"#,
                "invalid-request",
                "input[0].content: ",
            ),
            (
                r#"{"agent": "a", "input": [{"role": "user", "content": [{"type": "text", "txt": ""}]}]}"#,
                "invalid-request",
                "input[0].content[0]: unknown field `txt`",
            ),
        ] {
            let (found, text) = refused(body);
            assert_eq!(found, kind, "{body}: {text}");
            assert!(text.contains(says), "{body}: {text}");
        }
    }

    #[test]
    fn content_types_of_json_are_taken() {
        let with = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, axum::http::HeaderValue::from_static(kind));
            is_json(&headers)
        };
        assert!(
            with("application/json") && with("Application/JSON; charset=utf-8") && with("application/x+json")
        );
        assert!(
            !with("text/plain") && !with("application/x-www-form-urlencoded") && !is_json(&HeaderMap::new())
        );
    }
}
