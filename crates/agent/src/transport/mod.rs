//! HTTP to model providers and tools: one request, its answer piece by piece, and what is known when none comes.
//!
//! Two ways lead out, and a URL says which one is taken:
//!
//! - Plain `http` without a proxy goes directly ([`direct`]): gateways, model servers and tools inside a cluster are mostly reached
//!   so, and there a step's price is the processor time and the memory of its call. A connection is driven by its caller;
//!   no task, no channel and no layer stands between them, and a call that waits holds no buffer.
//! - TLS, proxies and credentials in a URL go through reqwest.
//!
//! Neither follows redirects, and neither sends a request again that may have been received.

mod answer;
mod connect;
mod direct;
mod http1;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

pub(crate) use self::answer::{Answer, Unanswered, chain};
use self::direct::Direct;
use crate::tools::egress::Gate;

/// What this program calls itself.
pub(crate) const NAME: &str = concat!("agenticai/", env!("CARGO_PKG_VERSION"));

/// Sends requests. Its connections are kept for all calls.
pub(crate) struct Transport {
    direct: Direct,
    full: reqwest::Client,
    /// None: no proxy is used, whatever the environment says.
    proxies: Option<Arc<Matcher>>,
}

/// How a [`Transport`] connects.
pub(crate) struct Connecting {
    /// A connection that takes longer, its name's resolution included, is given up.
    pub timeout: Duration,
    /// How long an idle connection is kept; none: every request gets a connection of its own.
    pub idle: Option<Duration>,
    /// Resolves names and judges addresses; none: as the system does, and all are good.
    pub gate: Option<Arc<Gate>>,
    /// The proxies of the environment, where they are to be used.
    pub proxies: Option<Arc<Matcher>>,
}

impl Transport {
    /// A transport whose other way is `full`, which must be made to the same rules.
    pub fn new(full: reqwest::Client, connecting: Connecting) -> Self {
        let Connecting { timeout, idle, gate, proxies } = connecting;
        Self { direct: Direct::new(timeout, idle, gate), full, proxies }
    }

    /// Sends a request and waits for the head of its answer. Dropping the future ends the request.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Answer, Unanswered> {
        if url.scheme() == "http" && url.username().is_empty() && url.password().is_none() {
            let uri: Uri = url.as_str().parse().map_err(|e| Unanswered::unbuildable(&e))?;
            let proxy = self.proxies.as_ref().and_then(|proxies| proxies.intercept(&uri));
            if proxy.is_none() {
                return self.direct(method, uri, headers, body).await;
            }
        }
        let request = self.full.request(method, url.clone()).headers(headers);
        let request = match body {
            Some(body) => request.body(body),
            None => request,
        };
        Ok(Answer::full(request.send().await?))
    }

    async fn direct(
        &self,
        method: Method,
        uri: Uri,
        mut headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Answer, Unanswered> {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(|e| Unanswered::unbuildable(&e))?);
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(NAME));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        self.direct.send(method, uri, headers, body.unwrap_or_default()).await
    }
}
