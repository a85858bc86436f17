//! What can go wrong in an attempt, and whether another one may help.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use agenticai_domain::task::{TaskError, codes};

use super::sse::TooLarge;

/// Why an attempt gave no answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// Another attempt may succeed.
    Passing {
        /// For people.
        why: String,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
        /// Whether something came that could not be understood, rather than nothing.
        garbage: bool,
    },
    /// It would not.
    Final(TaskError),
}

impl Fault {
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self::Passing { why: why.into(), retry_after: None, garbage: false }
    }

    /// Something came that is no answer.
    pub(super) fn nonsense(why: impl Into<String>) -> Self {
        Self::Passing { why: why.into(), retry_after: None, garbage: true }
    }

    pub(super) fn garbage(why: &serde_json::Error) -> Self {
        Self::nonsense(format!("the answer is not what the dialect says: {why}"))
    }

    fn refused(message: impl Into<String>) -> Self {
        Self::Final(TaskError::new(codes::MODEL_REFUSED, message))
    }
}

impl From<TooLarge> for Fault {
    fn from(why: TooLarge) -> Self {
        Self::nonsense(why.to_string())
    }
}

/// An error as a provider reports it, in any of the shapes that are in use: `{"error": {"message", "type", "code"}}`,
/// `{"error": "…"}`, `{"message", "type", "code"}`, `{"detail": "…"}`, or just words.
#[derive(Debug, Default)]
pub(super) struct Reported {
    pub message: String,
    /// `type` and `code`, where given.
    kind: String,
    code: String,
}

/// What the message of an error is told about the request.
pub(super) struct Asked<'a> {
    pub provider: &'a str,
    pub model: &'a str,
    pub key_variable: &'a str,
    pub retry_after: Option<Duration>,
    /// The vendors' `x-should-retry`.
    pub should_retry: Option<bool>,
}

/// Bound on what is passed on of a provider's words, in characters.
const QUOTED: usize = 600;

impl Reported {
    /// Reads the body of an error.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            let text = String::from_utf8_lossy(body);
            let html = text.trim_start().starts_with('<');
            let message = if html { Cow::Borrowed("(an HTML page)") } else { text };
            return Self { message: clip(message.trim()), ..Self::default() };
        };
        let error = value.get("error").unwrap_or(&value);
        let word = |name: &str| match error.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let message = match error {
            Value::String(text) => text.clone(),
            _ => match error.get("message").or_else(|| error.get("detail")) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => error.to_string(),
            },
        };
        Self { message: clip(&message), kind: word("type"), code: word("code") }
    }

    /// The error in an event that is none of its dialect: some servers put a bare `{"message", "type", "code"}` into
    /// their streams.
    pub(super) fn find(data: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(data).ok()?;
        let told = value.get("error").is_some_and(|e| !e.is_null())
            || value.get("message").is_some_and(Value::is_string);
        told.then(|| Self::read(data))
    }

    /// What an HTTP status other than success means.
    pub(super) fn with_status(&self, status: u16, asked: &Asked<'_>) -> Fault {
        let Asked { provider, model, key_variable, retry_after, should_retry } = asked;
        let said = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        if status != 401 && status != 403 && status != 429 && self.is_overflow(status) {
            return self.overflow(model);
        }
        match status {
            300..=399 => Fault::refused(format!(
                "the provider `{provider}` answered {status}, a redirect, and none is followed: configure the address \
                 that it points to"
            )),
            401 | 403 => Fault::refused(format!(
                "the provider `{provider}` refused the key ({status}{said}): check {key_variable}"
            )),
            404 => Fault::refused(format!(
                "the provider `{provider}` does not know the model `{model}`, or there is nothing at its address \
                 (404{said})"
            )),
            429 if self.is_exhausted() => Fault::refused(format!(
                "the account of {key_variable} at the provider `{provider}` has no credit left (429{said})"
            )),
            _ if *should_retry == Some(false) => {
                Fault::refused(format!("the provider `{provider}` refused the request ({status}{said})"))
            }
            408 | 409 | 425 | 429 | 500 | 502..=599 => Fault::Passing {
                why: format!("the provider `{provider}` answered {status}{said}"),
                retry_after: *retry_after,
                garbage: false,
            },
            _ if *should_retry == Some(true) => Fault::Passing {
                why: format!("the provider `{provider}` answered {status}{said}"),
                retry_after: *retry_after,
                garbage: false,
            },
            _ => Fault::refused(format!("the provider `{provider}` refused the request ({status}{said})")),
        }
    }

    /// What an error inside a stream, after a status of success, means.
    pub(super) fn in_stream(&self) -> Fault {
        if self.is_overflow(400) {
            return self.overflow("");
        }
        let said = format!("the provider reported an error in its answer: {}", self.message);
        let status = self.code.parse::<u16>().ok();
        let lasting = matches!(
            self.kind.as_str(),
            "invalid_request_error"
                | "authentication_error"
                | "permission_error"
                | "not_found_error"
                | "billing_error"
                | "insufficient_quota"
        ) || matches!(status, Some(400 | 401 | 402 | 403 | 404 | 405 | 422))
            || self.is_exhausted();
        if lasting { Fault::refused(said) } else { Fault::passing(said) }
    }

    fn overflow(&self, model: &str) -> Fault {
        let model = if model.is_empty() { String::new() } else { format!(" `{model}`") };
        Fault::Final(TaskError::new(
            codes::CONTEXT_OVERFLOW,
            format!(
                "the conversation no longer fits the model{model}: {}. Use a model with a larger context, or shorter \
                 input and tool results (`max_result_bytes`)",
                self.message.trim_end_matches('.')
            ),
        ))
    }

    fn is_exhausted(&self) -> bool {
        [&self.kind, &self.code].into_iter().any(|word| {
            matches!(word.as_str(), "insufficient_quota" | "billing_error" | "billing_not_active")
        })
    }

    /// No two servers report it alike; these are the codes and words of the vendors, llama.cpp, vLLM, Ollama, TGI and
    /// the common routers.
    fn is_overflow(&self, status: u16) -> bool {
        const CODES: [&str; 4] = [
            "context_length_exceeded",
            "string_above_max_length",
            "exceed_context_size_error",
            "request_too_large",
        ];
        const WORDS: [&str; 16] = [
            "context_length_exceeded",
            "maximum context length",
            "max context length",
            "exceeds the context length",
            "exceeds the available context size",
            "exceed the available context size",
            "exceeds the context window",
            "exceed context limit",
            "exceeds context limit",
            "exceeds the model's context",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "longer than the maximum model length",
            "input token count exceeds",
            "`max_new_tokens` must be <=",
        ];
        if status == 413 || CODES.iter().any(|code| self.code == *code || self.kind == *code) {
            return true;
        }
        let message = self.message.to_ascii_lowercase();
        WORDS.iter().any(|words| message.contains(words))
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn status(status: u16, body: &str) -> Fault {
        let asked = Asked {
            provider: "p",
            model: "m",
            key_variable: "P_API_KEY",
            retry_after: None,
            should_retry: None,
        };
        Reported::read(body.as_bytes()).with_status(status, &asked)
    }

    fn code(fault: &Fault) -> &str {
        match fault {
            Fault::Passing { .. } => "passing",
            Fault::Final(error) => &error.code,
        }
    }

    #[test]
    fn overflow_is_known_in_every_wording() {
        for (number, body) in [
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000"}}"#,
            ),
            (
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size","type":"exceed_context_size_error"}}"#,
            ),
            (
                500,
                r#"{"error":{"code":500,"message":"the request exceeds the available context size","type":"server_error"}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#,
            ),
            (400, r#"{"error":"the input length exceeds the context length"}"#),
        ] {
            assert_eq!(code(&status(number, body)), codes::CONTEXT_OVERFLOW, "{body}");
        }
    }

    #[test]
    fn statuses_mean_what_they_say() {
        for number in [408, 409, 425, 429, 500, 502, 503, 504, 529] {
            assert_eq!(code(&status(number, r#"{"error":{"message":"busy"}}"#)), "passing", "{number}");
        }
        for number in [301, 307, 400, 401, 402, 403, 404, 405, 422, 501] {
            assert_eq!(
                code(&status(number, r#"{"error":{"message":"no"}}"#)),
                codes::MODEL_REFUSED,
                "{number}"
            );
        }
        let quota = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        assert_eq!(code(&status(429, quota)), codes::MODEL_REFUSED);
        let Fault::Final(error) = status(401, "<html>go away</html>") else { panic!() };
        assert!(
            error.message.contains("P_API_KEY") && !error.message.contains("go away"),
            "{}",
            error.message
        );
    }

    #[test]
    fn errors_inside_a_stream_are_told_apart() {
        for (body, expected) in [
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "passing"),
            (r#"{"type":"error","error":{"type":"api_error","message":"Internal"}}"#, "passing"),
            (r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#, "passing"),
            (r#"{"type":"error","error":{"type":"timeout_error","message":"slow"}}"#, "passing"),
            (r#"{"error":{"message":"The server had an error","type":"server_error"}}"#, "passing"),
            (r#"{"error":{"message":"upstream","code":502}}"#, "passing"),
            (r#"{"error":{"message":"bad","code":400}}"#, codes::MODEL_REFUSED),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}"#,
                codes::MODEL_REFUSED,
            ),
            (
                r#"{"type":"error","error":{"type":"authentication_error","message":"bad"}}"#,
                codes::MODEL_REFUSED,
            ),
            (r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, codes::CONTEXT_OVERFLOW),
        ] {
            assert_eq!(code(&Reported::read(body.as_bytes()).in_stream()), expected, "{body}");
        }
    }
}
