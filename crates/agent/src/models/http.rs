//! The HTTP client and the headers.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::Client;
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::anthropic;
use super::config::{Dialect, ModelsError, ProviderConfig};
use crate::call::CallContext;

/// A provider with what each request needs made ready.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub client: Client,
    pub url: Url,
    headers: HeaderMap,
}

/// Two clients: requests to this machine never go through a proxy, whatever the environment says of it. Both share
/// their connections among all calls.
pub(super) struct Clients {
    direct: Client,
    outside: Client,
}

impl Clients {
    pub(super) fn new(connect_timeout: Duration) -> Result<Self, ModelsError> {
        // Another part of the program may have done so already; both choose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = || {
            Client::builder()
                .connect_timeout(connect_timeout)
                // A redirect would carry the key to an address that nobody configured.
                .redirect(Policy::none())
                // Below the 60 s after which common servers and balancers drop an idle connection.
                .pool_idle_timeout(Duration::from_secs(50))
                .user_agent(concat!("agenticai/", env!("CARGO_PKG_VERSION")))
        };
        let build = |proxy: bool| {
            let builder = || if proxy { plain() } else { plain().no_proxy() };
            // A machine without any certificates can still talk to local servers: only https fails there.
            builder().build().or_else(|_| builder().tls_certs_only([]).build())
        };
        let failed = |why: reqwest::Error| ModelsError::Client(chain(&why));
        Ok(Self { direct: build(false).map_err(failed)?, outside: build(true).map_err(failed)? })
    }
}

impl Endpoint {
    pub(super) fn new(config: &ProviderConfig, clients: &Clients) -> Result<Self, ModelsError> {
        let bad = |why: String| ModelsError::Url {
            provider: config.name.clone(),
            url: config.base_url.clone(),
            why,
        };
        let base = config.base_url.trim_end_matches('/');
        let path = match config.dialect {
            Dialect::Anthropic if base.ends_with("/v1") => "messages",
            Dialect::Anthropic => "v1/messages",
            Dialect::OpenAi | Dialect::Practice => "chat/completions",
        };
        let url = Url::parse(&format!("{base}/{path}")).map_err(|e| bad(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it begins with something else".to_owned()));
        }
        let local = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err(bad("it names no host".to_owned())),
        };
        let client = if local { &clients.direct } else { &clients.outside }.clone();
        Ok(Self { client, url, headers: Self::headers(config)? })
    }

    fn headers(config: &ProviderConfig) -> Result<HeaderMap, ModelsError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        if config.dialect == Dialect::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static(anthropic::VERSION));
        }
        if let Some(key) = &config.api_key {
            let (name, value) = match config.dialect {
                Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key.value().to_owned()),
                Dialect::OpenAi | Dialect::Practice => (AUTHORIZATION, format!("Bearer {}", key.value())),
            };
            let mut value = HeaderValue::from_str(&value).map_err(|_| ModelsError::Key {
                provider: config.name.clone(),
                variable: config.key_variable(),
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// The headers of attempt `attempt`.
    pub(super) fn headers_for(&self, ctx: &CallContext, attempt: u32) -> HeaderMap {
        let mut headers = self.headers.clone();
        let mut put = |name: &'static str, value: String| {
            // All are made of ids and numbers; a trace context from outside that no header takes is left out.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        put("x-agenticai-task", ctx.task.to_string());
        put("x-agenticai-step", ctx.step.to_string());
        put("x-agenticai-epoch", ctx.epoch.to_string());
        put("x-agenticai-attempt", attempt.to_string());
        put("idempotency-key", ctx.step.idempotency_key(ctx.task));
        if let Some(traceparent) = &ctx.traceparent {
            put("traceparent", traceparent.clone());
        }
        headers
    }
}

/// An error with its causes: reqwest tells the interesting part only there. Addresses are left out, because they may
/// hold a password.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    if text.is_empty() { "the request failed".to_owned() } else { text }
}
