//! Answers: read up to their bound, then made into what a model can read.

use std::time::{Duration, SystemTime};

use agenticai_domain::journal::CallOutcome;
use http::{HeaderMap, Method, header};
use serde_json::{Value, json};

use crate::tools::retry::{Attempt, Failure};
use crate::transport::Answer;

/// As much of an error's body as is shown.
const EXCERPT_BYTES: usize = 2_000;

/// Reads an answer. Not more than `max_bytes` and one piece beyond them are ever held in memory.
pub(super) async fn read(mut answer: Answer, method: &Method, max_bytes: usize) -> Attempt {
    let status = answer.status;
    let headers = std::mem::take(&mut answer.headers);
    let bound = if status.is_success() { max_bytes } else { EXCERPT_BYTES.min(max_bytes) };
    let mut body = Vec::new();
    let mut whole = true;
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) => {
                body.extend_from_slice(&piece[..piece.len().min(bound - body.len() + 1)]);
                if body.len() > bound {
                    whole = false;
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                return Attempt::Unknown(Failure::new(
                    "connection_lost",
                    format!("the answer (HTTP {status}) was cut off: {error}"),
                ));
            }
        }
    }
    if !status.is_success() {
        return failure(status, &headers, &body);
    }
    if !whole {
        return Attempt::failed(
            "too_large",
            format!(
                "the call was performed (HTTP {status}), but its result is larger than the {max_bytes} bytes that this \
             tool may return. Ask for less, for example for fewer items or a part"
            ),
        );
    }
    if method == Method::HEAD {
        return Attempt::answered(head(status.as_u16(), &headers));
    }
    content(&headers, body)
}

fn failure(status: http::StatusCode, headers: &HeaderMap, body: &[u8]) -> Attempt {
    let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]);
    let excerpt = excerpt.trim();
    let message = match excerpt {
        "" => format!("HTTP {status}"),
        text => format!("HTTP {status}: {text}"),
    };
    let outcome = CallOutcome::Error { code: format!("http_{}", status.as_u16()), message };
    if status.as_u16() == 429 || (status.is_server_error() && status.as_u16() != 501) {
        Attempt::Passing { outcome, retry_after: retry_after(headers, SystemTime::now()) }
    } else {
        Attempt::Ended(outcome)
    }
}

/// `Retry-After` in either of its forms: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    parse_retry_after(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
}

/// See [`retry_after`].
pub(crate) fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(SystemTime::try_from(date).ok()?.duration_since(now).unwrap_or_default())
}

/// A HEAD request asks for the headers.
fn head(status: u16, headers: &HeaderMap) -> Value {
    let headers: serde_json::Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    json!({ "status": status, "headers": headers })
}

fn content(headers: &HeaderMap, body: Vec<u8>) -> Attempt {
    let header =
        |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
    if let Some(encoding) = header(header::CONTENT_ENCODING).filter(|encoding| encoding.trim() != "identity")
    {
        return Attempt::failed(
            "unsupported_encoding",
            format!("the server compressed its answer with `{encoding}` although that was not asked for"),
        );
    }
    let declared = header(header::CONTENT_TYPE);
    let media =
        declared.as_deref().and_then(|text| text.split(';').next()).map(str::trim).unwrap_or_default();
    if is_json(media)
        && let Ok(value) = serde_json::from_slice(&body)
    {
        return Attempt::answered(value);
    }
    let text = match String::from_utf8(body) {
        Ok(text) => text,
        Err(error) if is_text(media) => {
            let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
            format!("{lossy}\n[Some bytes of this answer are not valid UTF-8 and were replaced by U+FFFD.]")
        }
        Err(_) => return binary(media),
    };
    // An answer that does not say what it is may be shown if it reads as text.
    if is_text(media) || media.is_empty() { Attempt::answered(text.into()) } else { binary(media) }
}

fn binary(media: &str) -> Attempt {
    let media = if media.is_empty() { "no declared type" } else { media };
    Attempt::failed(
        "binary",
        format!("the call was performed, but its answer is binary ({media}) and cannot be shown as text"),
    )
}

fn is_json(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}

fn is_text(media: &str) -> bool {
    media.starts_with("text/")
        || is_json(media)
        || media.ends_with("+xml")
        || media.ends_with("+yaml")
        || matches!(
            media,
            "application/xml"
                | "application/javascript"
                | "application/x-javascript"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/x-ndjson"
                | "application/jsonl"
                | "application/sql"
                | "application/graphql"
                | "application/x-www-form-urlencoded"
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(parse_retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:27 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
        assert_eq!(parse_retry_after("-3", now), None);
    }
}
