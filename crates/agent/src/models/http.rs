//! The HTTP client and the headers.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::anthropic;
use super::config::{Dialect, ModelsError, ProviderConfig};
use crate::call::CallContext;
use crate::transport::{Connecting, NAME, Transport, chain};

/// How long an idle connection is kept: below the 60 s after which common servers and balancers drop it.
const IDLE: Duration = Duration::from_secs(50);

/// A provider with what each request needs made ready. Its connections are kept for all calls.
pub(super) struct Endpoint {
    pub transport: Transport,
    pub url: Url,
    headers: HeaderMap,
}

impl Endpoint {
    pub(super) fn new(config: &ProviderConfig, connect_timeout: Duration) -> Result<Self, ModelsError> {
        let bad = |why: String| ModelsError::Url {
            provider: config.name.clone(),
            url: config.base_url.clone(),
            why,
        };
        let mut url = Url::parse(&config.base_url).map_err(|e| bad(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it begins with something else".to_owned()));
        }
        let versioned = url.path().trim_end_matches('/').ends_with("/v1");
        let path: &[&str] = match config.dialect {
            Dialect::Anthropic if versioned => &["messages"],
            Dialect::Anthropic => &["v1", "messages"],
            Dialect::OpenAi | Dialect::Practice => &["chat", "completions"],
        };
        if let Ok(mut segments) = url.path_segments_mut() {
            // A query stays behind the path: some hosts want their version there.
            segments.pop_if_empty().extend(path);
        }
        let local = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err(bad("it names no host".to_owned())),
        };
        let transport = transport(connect_timeout, local, url.scheme() == "https")?;
        Ok(Self { transport, url, headers: Self::headers(config)? })
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

/// A transport to a server on this machine or elsewhere. Requests to this machine never go through a proxy, whatever the
/// environment says of it.
fn transport(connect_timeout: Duration, local: bool, tls: bool) -> Result<Transport, ModelsError> {
    // Another part of the program may have done so already; both choose the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let builder = reqwest::Client::builder()
            .connect_timeout(connect_timeout)
            // A redirect would carry the key to an address that nobody configured.
            .redirect(Policy::none())
            .pool_idle_timeout(IDLE)
            .user_agent(NAME);
        if local { builder.no_proxy() } else { builder }
    };
    // Reading the system's certificates takes a while and fails where there are none: without TLS it is not needed.
    let plain = local && !tls;
    let client = if plain { builder().tls_certs_only([]).build() } else { builder().build() };
    let client = client.map_err(|why| ModelsError::Client(chain(&why)))?;
    Ok(Transport::new(
        client,
        Connecting {
            timeout: connect_timeout,
            idle: Some(IDLE),
            gate: None,
            proxies: (!local).then(|| Arc::new(Matcher::from_system())),
        },
    ))
}
