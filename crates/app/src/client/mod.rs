//! The API as the command line uses it.

mod find;
mod sse;
mod stream;

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use agenticai_wire::Problem;

use crate::exit::{Exit, Failure, Result};

pub use find::{Probe, is_local, probe, server};
pub use stream::{Event, TaskStream};

/// A server and the key that it is spoken to with. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<String>,
}

/// A path below the address, with its query.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    /// Segments; whatever a name holds, it stays one segment.
    pub segments: &'a [&'a str],
    /// The query's pairs.
    pub query: &'a [(&'a str, &'a str)],
}

impl<'a> Path<'a> {
    /// A path without a query.
    pub fn to(segments: &'a [&'a str]) -> Self {
        Self { segments, query: &[] }
    }
}

/// Bound on an answer that is no stream. An `execute` is never awaited over this connection.
const ANSWER: Duration = Duration::from_secs(60);

/// An HTTP client for one address. It follows no redirects, which would carry a key to an address that nobody named.
pub fn http_client(url: &Url, connect_timeout: Duration) -> reqwest::Result<reqwest::Client> {
    let mut http = reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("agenticai/", env!("CARGO_PKG_VERSION")));
    if is_local(url) {
        // A proxy cannot reach what listens on this machine alone.
        http = http.no_proxy();
    }
    if url.scheme() == "http" {
        // Plain HTTP needs no certificates: loading them takes longer than most commands, and a machine may have none.
        http = http.tls_certs_only([]);
    }
    http.build()
}

/// A page of any list.
#[derive(serde::Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Client {
    /// A client of the server at `base`.
    pub fn new(base: &str, key: Option<String>) -> Result<Self> {
        let with_scheme = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
        let base = Url::parse(&with_scheme)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Failure::usage(format!("`{base}` is no address: write for example http://localhost:8000"))
            })?;
        let http = http_client(&base, Duration::from_secs(5))
            .map_err(|error| Failure::failed(format!("no HTTP client: {error}")))?;
        Ok(Self { http, base, key })
    }

    /// The server's address, without a slash at its end.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether there is a key to send.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// GET.
    pub async fn get<T: DeserializeOwned>(&self, path: Path<'_>) -> Result<T> {
        self.read(self.send(Method::GET, path, None::<&()>, &[]).await?).await
    }

    /// Every item of a list, all pages of it.
    pub async fn all<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<Vec<T>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("limit", "200")];
            query.extend(cursor.iter().map(|cursor| ("cursor", cursor.as_str())));
            let page: Page<T> = self.get(Path { segments, query: &query }).await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// GET of bytes, with a header of the answer.
    pub async fn get_bytes(&self, path: Path<'_>, header: &str) -> Result<(Vec<u8>, Option<String>)> {
        let answer = self.send(Method::GET, path, None::<&()>, &[]).await?;
        let header = answer.headers().get(header).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok((bytes.into(), header))
    }

    /// GET of whatever is answered: a refusal is an answer, too.
    pub async fn look(&self, path: Path<'_>) -> Result<(StatusCode, Vec<u8>)> {
        let answer =
            self.request(Method::GET, path).send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok((status, bytes.into()))
    }

    /// POST that may be sent again without doing its work twice: an answer that was lost is asked for once more.
    pub async fn post_once<B: Serialize, T: DeserializeOwned>(&self, path: Path<'_>, body: &B) -> Result<T> {
        let key = uuid::Uuid::new_v4().to_string();
        let headers = [("idempotency-key", key.as_str())];
        let answer = match self.send(Method::POST, path, Some(body), &headers).await {
            Err(Failure { exit: Exit::Unreachable, .. }) => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.send(Method::POST, path, Some(body), &headers).await?
            }
            answer => answer?,
        };
        self.read(answer).await
    }

    /// PUT.
    pub async fn put<B: Serialize, T: DeserializeOwned>(&self, path: Path<'_>, body: &B) -> Result<T> {
        self.read(self.send(Method::PUT, path, Some(body), &[]).await?).await
    }

    /// POST or DELETE whose answer says no more than that it was done.
    pub async fn tell<B: Serialize>(&self, method: Method, path: Path<'_>, body: Option<&B>) -> Result<()> {
        self.send(method, path, body, &[]).await.map(drop)
    }

    /// Sends, and turns refusals into failures.
    async fn send<B: Serialize>(
        &self,
        method: Method,
        path: Path<'_>,
        body: Option<&B>,
        headers: &[(&str, &str)],
    ) -> Result<Response> {
        let mut request = self.request(method, path).timeout(ANSWER);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.accept(answer).await
    }

    fn request(&self, method: Method, path: Path<'_>) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        // Only an address that cannot be a base has no segments, and `new` lets none in.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.segments);
        }
        if !path.query.is_empty() {
            url.query_pairs_mut().extend_pairs(path.query);
        }
        let mut request = self.http.request(method, url);
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        request
    }

    async fn accept(&self, answer: Response) -> Result<Response> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await.unwrap_or_default();
        let problem = serde_json::from_slice(&bytes).unwrap_or_else(|_| Problem {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("an error").to_owned(),
            status: status.as_u16(),
            detail: format!("{} answered {status}, and not as agenticai does", self.address()),
            request_id: String::new(),
            errors: Vec::new(),
        });
        let mut failure = Failure::refused(problem);
        if status == StatusCode::UNAUTHORIZED && !self.has_key() {
            failure.message = format!(
                "{} wants an API key: give --api-key KEY, AGENTICAI_API_KEY, or --data-dir DIR of the server",
                self.address()
            );
        }
        Err(failure)
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T> {
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::failed(format!(
                "{} answered something that this program does not understand ({error}); are both of the same version?",
                self.address()
            ))
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = reason(error);
        Failure::new(
            Exit::Unreachable,
            format!(
                "no answer from {}: {why}. Start a server with `agenticai up`, or name one with --url",
                self.address()
            ),
        )
    }
}

/// The innermost cause: the outer ones repeat the address.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
