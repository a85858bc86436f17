//! Headers that every call carries, and those that nobody else may set.

use http::HeaderName;

use crate::call::CallContext;

/// What a call says of itself: HTTP headers, and in MCP keys of `_meta`.
pub(crate) fn call_metadata(ctx: &CallContext, attempt: u32) -> Vec<(&'static str, String)> {
    let mut metadata = vec![
        ("x-agenticai-task", ctx.task.to_string()),
        ("x-agenticai-step", ctx.step.to_string()),
        ("x-agenticai-epoch", ctx.epoch.to_string()),
        ("x-agenticai-attempt", attempt.to_string()),
        ("idempotency-key", ctx.step.idempotency_key(ctx.task)),
    ];
    metadata.extend(ctx.traceparent.clone().map(|parent| ("traceparent", parent)));
    metadata
}

/// Refuses names that are none, and those that belong to the transport or to [`call_metadata`].
pub(crate) fn check_header_name(name: &str) -> Result<HeaderName, String> {
    let parsed: HeaderName = name.parse().map_err(|_| format!("`{name}` is no name of a header"))?;
    let lower = parsed.as_str();
    let reserved = lower.starts_with("x-agenticai-")
        || matches!(
            lower,
            "idempotency-key"
                | "traceparent"
                | "host"
                | "content-length"
                | "transfer-encoding"
                | "connection"
                | "upgrade"
                | "te"
                | "trailer"
                | "keep-alive"
                | "proxy-authorization"
                | "proxy-connection"
                | "expect"
        );
    if reserved {
        Err(format!("the header `{name}` is set by the platform: leave it out"))
    } else {
        Ok(parsed)
    }
}
