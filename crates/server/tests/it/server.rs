//! A server on a free port with a store in a directory of its own.

use std::sync::Arc;
use std::time::Duration;

use agenticai_broker::MemoryBroker;
use agenticai_domain::ids::TaskId;
use agenticai_server::{ApiSettings, ApiState, Backlog, Metrics};
use agenticai_store::sqlite::{SqliteOptions, SqliteStore};
use agenticai_store::{Bootstrap, Identity, Principal};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::abilities::Simple;

pub const KEY: &str = "test-key";

pub struct Server {
    pub store: SqliteStore,
    pub broker: Arc<MemoryBroker>,
    pub owner: Principal,
    pub url: String,
    pub http: reqwest::Client,
    pub shutdown: CancellationToken,
    _dir: tempfile::TempDir,
}

/// An answer, read.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// Asserts that it is a problem of a type, and gives its detail.
    pub fn problem(&self, status: u16, name: &str) -> String {
        assert_eq!(
            (self.status, &self.body["type"]),
            (status, &json!(format!("/problems/{name}"))),
            "{}",
            self.body
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["request_id"], self.headers["x-request-id"].to_str().unwrap());
        self.body["detail"].as_str().unwrap().to_owned()
    }

    /// Asserts the status and gives the body.
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(ApiSettings::default()).await
    }

    pub async fn start_with(settings: ApiSettings) -> Self {
        // A second test in the process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(dir.path())).unwrap();
        let key = Sha256::digest(KEY.as_bytes()).into();
        let first = Bootstrap { tenant: "default".into(), user: "admin".into(), key, retention_days: 30 };
        let owner = store.bootstrap(first).await.unwrap().unwrap();
        let broker = Arc::new(MemoryBroker::default());
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = Metrics::register(&mut registry);
        let backlog = Backlog::register(&mut registry);
        let shutdown = CancellationToken::new();
        let router = agenticai_server::router(ApiState {
            store: Arc::new(store.clone()),
            broker: broker.clone(),
            abilities: Arc::new(Simple),
            settings,
            registry: Arc::new(registry),
            metrics,
            backlog,
            shutdown: shutdown.clone(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { store, broker, owner, url, http, shutdown, _dir: dir }
    }

    /// A request with the login.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(KEY)
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    /// Creates an agent of kind `react` whose one tool needs consent.
    pub async fn react(&self, name: &str) {
        let spec = json!({
            "name": name, "model": "priced", "limits": {"max_steps": 1000}, "tools": ["ask_human", mail(json!({"approval": "always"}))]
        });
        self.post("/api/v1/agents", spec).await.ok(201);
    }

    /// Creates an agent of kind `tool`.
    pub async fn job(&self, name: &str, more: Value) {
        let spec = json!({"name": name, "kind": "tool", "tools": [mail(more)]});
        self.post("/api/v1/agents", spec).await.ok(201);
    }

    /// Creates a task.
    pub async fn task(&self, agent: &str, input: Value) -> TaskId {
        let view = self.post("/api/v1/tasks", json!({"agent": agent, "input": input})).await.ok(201);
        view["id"].as_str().unwrap().parse().unwrap()
    }
}

/// A tool that sends a mail.
fn mail(more: Value) -> Value {
    let mut tool = json!({
        "name": "mail",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
        "http": {"url": "https://example.com/mail"}
    });
    tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    tool
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}
