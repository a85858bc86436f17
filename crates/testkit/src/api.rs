//! A client for the API, as tests need it: typed answers, and the difference between "refused" and "unreachable".

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::{Entry, Recorded};
use agenticai_domain::task::TaskStatus;
use agenticai_wire::{
    BudgetRequest, BudgetView, CountView, CreateTaskRequest, JournalPage, ResolveRequest, SignalRequest,
    TaskPage, TaskView,
};
use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::Http;

/// Why a request brought no answer.
#[derive(Debug)]
pub enum ApiError {
    /// The server said no: status and body.
    Refused(u16, String),
    /// It could not be reached, or died while it was asked: the outcome is unknown.
    Unreachable(anyhow::Error),
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(status, body) => write!(f, "answered {status}: {body}"),
            Self::Unreachable(why) => write!(f, "unreachable: {why:#}"),
        }
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// Whether the same request may succeed later: the server was not reached, or it has no database at this moment.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Refused(502..=504, _))
    }
}

/// A client of one server, or of several that are the same to it; cheap to clone.
#[derive(Clone)]
pub struct Api {
    http: Http,
    /// Never empty; requests go to one after the other.
    urls: Arc<[String]>,
    turn: Arc<AtomicUsize>,
    headers: Vec<(String, String)>,
}

/// Answers of the API.
pub type Result<T> = std::result::Result<T, ApiError>;

impl Api {
    /// A client for the server at `url`, without a slash at the end.
    pub fn new(url: impl Into<String>, key: &str) -> Self {
        let headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
        Self { http: Http::default(), urls: [url.into()].into(), turn: Arc::default(), headers }
    }

    /// The same client with one more server of the same cluster: each request goes to another one, so that one sent
    /// again goes elsewhere.
    pub fn or(mut self, url: impl Into<String>) -> Self {
        self.urls = self.urls.iter().cloned().chain([url.into()]).collect();
        self
    }

    /// A client for each of the servers alone.
    pub fn each(&self) -> Vec<Self> {
        let alone = |url: &String| Self { urls: [url.clone()].into(), ..self.clone() };
        self.urls.iter().map(alone).collect()
    }

    /// The headers that identify the client.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The server whose turn it is.
    pub fn url(&self) -> &str {
        &self.urls[self.turn.fetch_add(1, Ordering::Relaxed) % self.urls.len()]
    }

    /// The client that everything is sent with.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// One request; `path` begins with a slash.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        more_headers: &[(String, String)],
        body: Option<Value>,
    ) -> Result<T> {
        let headers: Vec<_> = self.headers.iter().chain(more_headers).cloned().collect();
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let url = format!("{}{path}", self.url());
        let send = self.http.send(method, &url, &headers, body);
        let answer = tokio::time::timeout(Duration::from_secs(30), send)
            .await
            .map_err(|_| ApiError::Unreachable(anyhow::anyhow!("{method} {path}: no answer within 30 s")))?
            .map_err(ApiError::Unreachable)?;
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        if !answer.status.is_success() {
            return Err(ApiError::Refused(answer.status.as_u16(), text()));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|why| ApiError::Refused(answer.status.as_u16(), format!("{why} in {}", text())))
    }

    /// Makes an agent, or a version of one that exists.
    pub async fn put_agent(&self, spec: &Value) -> Result<Value> {
        let name = spec["name"].as_str().unwrap_or_default();
        match self.call("POST", "/api/v1/agents", &[], Some(spec.clone())).await {
            Err(ApiError::Refused(409, _)) => {
                self.call("PUT", &format!("/api/v1/agents/{name}"), &[], Some(spec.clone())).await
            }
            other => other,
        }
    }

    /// Makes a budget.
    pub async fn create_budget(&self, request: &BudgetRequest) -> Result<BudgetView> {
        self.call("POST", "/api/v1/budgets", &[], Some(to_value(request))).await
    }

    /// A budget as it stands.
    pub async fn budget(&self, name: &str) -> Result<BudgetView> {
        self.call("GET", &format!("/api/v1/budgets/{name}"), &[], None).await
    }

    /// Creates a task under an idempotency key.
    pub async fn create_task(&self, request: &CreateTaskRequest, key: &str) -> Result<TaskView> {
        let headers = [("idempotency-key".to_owned(), key.to_owned())];
        self.call("POST", "/api/v1/tasks", &headers, Some(to_value(request))).await
    }

    /// A task as it stands.
    pub async fn task(&self, id: TaskId) -> Result<TaskView> {
        self.call("GET", &format!("/api/v1/tasks/{id}"), &[], None).await
    }

    /// Every task that the query (`status=waiting`) selects, all pages of it.
    pub async fn tasks(&self, query: &str) -> Result<Vec<TaskView>> {
        let mut tasks = Vec::new();
        let mut cursor = String::new();
        loop {
            let page: TaskPage =
                self.call("GET", &format!("/api/v1/tasks?limit=1000&{query}{cursor}"), &[], None).await?;
            tasks.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(tasks),
            }
        }
    }

    /// How many tasks the query selects.
    pub async fn count(&self, query: &str) -> Result<u64> {
        Ok(self.call::<CountView>("GET", &format!("/api/v1/tasks/count?{query}"), &[], None).await?.count)
    }

    /// A task's whole journal.
    pub async fn journal(&self, id: TaskId) -> anyhow::Result<Vec<Recorded>> {
        let mut journal = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/tasks/{id}/journal?limit=1000{cursor}");
            let page: JournalPage = self.call("GET", &path, &[], None).await?;
            for item in page.items {
                let at: jiff::Timestamp =
                    item.at.parse().with_context(|| format!("time of entry {}", item.seq))?;
                let entry: Entry = serde_json::from_value(item.entry)
                    .with_context(|| format!("entry {} of {id}", item.seq))?;
                journal.push(Recorded { seq: item.seq, epoch: item.epoch, at: at.as_millisecond(), entry });
            }
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(journal),
            }
        }
    }

    /// Sends a signal, an approval or an answer.
    pub async fn signal(&self, id: TaskId, signal: &SignalRequest) -> Result<Value> {
        self.call("POST", &format!("/api/v1/tasks/{id}/signals"), &[], Some(to_value(signal))).await
    }

    /// Says what became of a call whose outcome is unknown.
    pub async fn resolve(
        &self,
        id: TaskId,
        step: StepId,
        decision: &str,
        result: Option<Value>,
    ) -> Result<Value> {
        let request = ResolveRequest { step, decision: decision.to_owned(), result, attempt: None };
        self.call("POST", &format!("/api/v1/tasks/{id}/resolve"), &[], Some(to_value(&request))).await
    }

    /// Cancels a task.
    pub async fn cancel(&self, id: TaskId) -> Result<Value> {
        self.call("POST", &format!("/api/v1/tasks/{id}/cancel"), &[], None).await
    }

    /// Waits until a task has ended.
    pub async fn wait_end(&self, id: TaskId, within: Duration) -> anyhow::Result<TaskView> {
        let started = Instant::now();
        loop {
            let task = self.task(id).await?;
            if task.status.is_terminal() {
                return Ok(task);
            }
            anyhow::ensure!(started.elapsed() < within, "{id} is {} after {within:?}", task.status.as_str());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many tasks stand how.
    pub async fn statuses(&self) -> Result<HashMap<TaskStatus, u64>> {
        let mut counts = HashMap::new();
        for status in TaskStatus::ALL {
            counts.insert(status, self.count(&format!("status={}", status.as_str())).await?);
        }
        Ok(counts)
    }
}

fn to_value(request: &impl serde::Serialize) -> Value {
    serde_json::to_value(request).unwrap_or_default()
}
