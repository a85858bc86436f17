//! Headers with a meaning of their own.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use crate::problem::{ApiError, ApiResult, BAD_HEADER};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header's text, if it is one.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Idempotency-Key`: 1 to 255 printable characters.
pub(crate) struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else { return Ok(Self(None)) };
        // `to_str` takes visible ASCII, spaces and tabs.
        match value.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(ApiError::new(
                BAD_HEADER,
                "`Idempotency-Key` must have 1 to 255 printable ASCII characters.",
            )),
        }
    }
}

/// `Prefer: wait=N`: how many seconds the client would wait. Preferences that are unknown or no number are ignored,
/// as RFC 7240 asks.
pub(crate) struct Prefer(pub Option<Duration>);

impl<S: Send + Sync> FromRequestParts<S> for Prefer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let preferences = parts.headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        Ok(Self(preferences.flat_map(|line| line.split(',')).find_map(wait)))
    }
}

fn wait(preference: &str) -> Option<Duration> {
    let (name, value) = preference.split(';').next()?.split_once('=')?;
    let seconds = value.trim().trim_matches('"').parse().ok()?;
    name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds))
}

/// The W3C trace context of the request; one that does not fit is treated as absent, as its standard asks.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = header_text(headers, &TRACEPARENT)?;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let hex = |part: &str, len| {
        part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |part: &str| part.bytes().any(|b| b != b'0');
    let fits =
        hex(version, 2) && *version != "ff" && hex(trace, 32) && set(trace) && hex(parent, 16) && set(parent);
    (fits && hex(flags, 2)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn preferences_are_read() {
        assert_eq!(wait("wait=10"), Some(Duration::from_secs(10)));
        assert_eq!(wait(" Wait = \"7\"; x=y"), Some(Duration::from_secs(7)));
        for other in ["wait", "wait=", "wait=-1", "wait=x", "respond-async", "waits=1"] {
            assert_eq!(wait(other), None, "{other}");
        }
    }

    #[test]
    fn only_whole_trace_contexts_are_kept() {
        let given = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(text));
            traceparent(&headers)
        };
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(given(good).as_deref(), Some(good));
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            assert_eq!(given(bad), None, "{bad}");
        }
    }
}
