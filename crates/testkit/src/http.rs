//! A small HTTP/1 client for loopback addresses: what the tests and the load generator send with.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A client with a pool of connections; cheap to clone.
#[derive(Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Default for Http {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(4096).build(connector))
    }
}

impl Http {
    /// Sends a request and reads the whole answer. A body is sent as JSON. Only loopback addresses are allowed: a
    /// load test must not leave the machine by mistake.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let answer = self.begin(method, url, headers, body.into()).await?;
        let (parts, body) = answer.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.collect().await?.to_bytes() })
    }

    /// Sends a request whose answer is read piece by piece, as events are.
    pub async fn begin(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        anyhow::ensure!(is_loopback(url), "{url} is no loopback address");
        let mut request = Request::builder().method(method).uri(url);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Ok(self.0.request(request.body(Full::new(body))?).await?)
    }

    /// An error unless a server says at this address that it is ready.
    pub async fn expect_ready(&self, url: &str) -> anyhow::Result<()> {
        let answer = self.send("GET", url, &[], "").await?;
        let said = String::from_utf8_lossy(&answer.body);
        anyhow::ensure!(answer.status.is_success(), "{url} answers {}: {said}", answer.status);
        Ok(())
    }
}

/// Whether an address is on this machine.
pub fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or("");
    host.starts_with("127.") || host.starts_with("localhost:") || host.starts_with("[::1]")
}

/// A port that was free a moment ago, below those that the system gives to outgoing connections: a server that is
/// started again finds its port free, and a client that meanwhile tries to reach it does not meet itself.
pub fn free_port() -> anyhow::Result<u16> {
    const LOWEST: u16 = 10_000;
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let outgoing = range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(32_768);
    for _ in 0..1000 {
        let port = fastrand::u16(LOWEST..outgoing.max(LOWEST + 10_000));
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port between {LOWEST} and {outgoing} is free")
}
