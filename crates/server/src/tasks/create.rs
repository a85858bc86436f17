//! `POST /api/v1/tasks`: the first step of a task's journey.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::task::{DEFAULT_PRIORITY, NewTask};
use agenticai_store::{CreateTask, CreateTaskOutcome, Idempotency, InThread, Principal, TaskRow};
use agenticai_wire::{CreateTaskRequest, TaskView};

use super::input;
use super::view::row_view;
use crate::agents::cache::Prepared;
use crate::auth::Auth;
use crate::budgets;
use crate::extract::{ApiJson, IdempotencyKey, traceparent};
use crate::problem::{ApiError, ApiResult, IDEMPOTENCY_CONFLICT, MODEL_NOT_SERVED, PRICE_UNKNOWN};
use crate::state::{Api, ApiSettings};
use crate::threads;

/// Accepts a task: 201 means that it is committed and survives any crash. With an `Idempotency-Key` the same request
/// may be sent again and answers the first one's task, even if the agent was changed or deleted since.
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "tasks", request_body = CreateTaskRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; kept as long as the task. The same key with another body is a conflict")),
    responses(
        (status = 201, description = "Committed", body = TaskView, headers(("Location" = String, description = "The task's address"))),
        (status = 200, description = "The key was used for the same request before: its task as it stands", body = TaskView, headers(("Location" = String, description = "The task's address")))
    )
)]
pub(crate) async fn create_task(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    ApiJson(body): ApiJson<CreateTaskRequest>,
) -> ApiResult<Response> {
    match api.create_task(who, body, key, traceparent(&headers)).await? {
        Accepted::Now(row, agent) => {
            Ok((StatusCode::CREATED, [at(row.head.id)], Json(row_view(&row, &agent))).into_response())
        }
        Accepted::Before(row) => {
            Ok((StatusCode::OK, [at(row.head.id)], Json(api.task_view(&row).await?)).into_response())
        }
    }
}

/// The header that says where a task is.
pub(crate) fn at(id: TaskId) -> (header::HeaderName, String) {
    (header::LOCATION, format!("/api/v1/tasks/{id}"))
}

/// A task that is committed.
pub(crate) enum Accepted {
    /// By this request; with the agent version that it runs.
    Now(Box<TaskRow>, Arc<Prepared>),
    /// By an earlier request with the same key: as it stands.
    Before(Box<TaskRow>),
}

impl Accepted {
    /// The task.
    pub fn row(self) -> Box<TaskRow> {
        match self {
            Self::Now(row, _) | Self::Before(row) => row,
        }
    }
}

impl Api {
    /// Checks a request and commits its task.
    ///
    /// The checks come before the key, for the transaction that creates the task looks at the key anyway. A request
    /// that no longer passes them may still be the repetition of one that did: only then is the key looked up first.
    pub async fn create_task(
        &self,
        who: Principal,
        body: CreateTaskRequest,
        key: Option<String>,
        traceparent: Option<String>,
    ) -> ApiResult<Accepted> {
        let idempotency =
            key.map(|key| Ok::<_, ApiError>(Idempotency { key, body: fingerprint(&body)? })).transpose()?;
        let (agent, timeout_ms) = match self.check(who.tenant, &body).await {
            Ok(checked) => checked,
            Err(refused) => return self.accepted_before(who.tenant, idempotency).await?.ok_or(refused),
        };

        let limits = body.budget.map(|bounds| budgets::limits("budget.", bounds)).transpose()?;
        let thread = self.thread_of(who, &body).await?;
        let limit_ms = agent.version.spec.limits.timeout_seconds.map(|seconds| seconds.saturating_mul(1000));
        let task = NewTask {
            id: TaskId(Uuid::now_v7()),
            tenant: who.tenant,
            agent: agent.version.id,
            agent_version: agent.version.version,
            input: body.input,
            priority: body.priority.unwrap_or(DEFAULT_PRIORITY),
            timeout_ms: [timeout_ms, limit_ms].into_iter().flatten().min(),
            parent: None,
            depth: 0,
            metadata: body.metadata,
            created_by: Some(who.user),
            traceparent,
        };
        let id = task.id;
        if let Some(limits) = limits {
            self.bound_task(who, id, limits).await?;
        }
        let outcome = self.store.create_task(CreateTask { task, idempotency, thread }).await?;
        if limits.is_some() && !matches!(outcome, CreateTaskOutcome::Created(_)) {
            self.unbound_task(who.tenant, id).await;
        }
        let committed = matches!(outcome, CreateTaskOutcome::Created(_) | CreateTaskOutcome::Existing(_));
        if let Some(InThread { id, if_active }) = thread
            && committed
            && if_active.supersedes()
        {
            self.cancel_superseded(who.tenant, id).await;
        }
        match outcome {
            CreateTaskOutcome::Created(row) => {
                self.broker.hint();
                Ok(Accepted::Now(row, agent))
            }
            CreateTaskOutcome::Existing(row) => Ok(Accepted::Before(row)),
            CreateTaskOutcome::KeyConflict(task) => Err(key_conflict(task)),
            CreateTaskOutcome::NoThread => Err(threads::unknown(body.thread.unwrap_or_default())),
            CreateTaskOutcome::ThreadBusy(active) => Err(threads::busy(active)),
            CreateTaskOutcome::ThreadFull => Err(threads::full()),
        }
    }

    /// Every check of a request; answers the agent version to run and the request's time-out in milliseconds.
    pub async fn check(
        &self,
        tenant: TenantId,
        body: &CreateTaskRequest,
    ) -> ApiResult<(Arc<Prepared>, Option<u64>)> {
        let timeout_ms = check_bounds(body, &self.settings)?;
        let agent = self.agent(tenant, &body.agent, body.agent_version).await?;
        input::check(&agent, &body.input)?;
        self.check_model_and_price(&agent)?;
        Ok((agent, timeout_ms))
    }

    /// The task of an earlier request with the key, `None` if there was no such request. A look-up that fails is the
    /// error to answer: the client must not be told that a task does not exist which may.
    async fn accepted_before(
        &self,
        tenant: TenantId,
        idempotency: Option<Idempotency>,
    ) -> ApiResult<Option<Accepted>> {
        let Some(Idempotency { key, body }) = idempotency else { return Ok(None) };
        match self.store.task_by_key(tenant, key).await? {
            None => Ok(None),
            Some((row, first)) if first == body => Ok(Some(Accepted::Before(Box::new(row)))),
            Some((row, _)) => Err(key_conflict(row.head.id)),
        }
    }

    fn check_model_and_price(&self, agent: &Prepared) -> ApiResult<()> {
        let spec = &agent.version.spec;
        let Some(model) = &spec.model else { return Ok(()) };
        let check =
            self.abilities.check_model(model).map_err(|e| ApiError::new(MODEL_NOT_SERVED, e.message))?;
        if spec.limits.max_cost_usd.is_some() && !check.priced {
            return Err(ApiError::new(
                PRICE_UNKNOWN,
                format!(
                    "The agent has `limits.max_cost_usd`, but the price of `{}` is unknown, so the limit cannot be \
                     kept: add the model to the price table of the server's configuration, or remove the limit.",
                    model.name
                ),
            ));
        }
        Ok(())
    }
}

fn key_conflict(task: TaskId) -> ApiError {
    let detail = format!(
        "The Idempotency-Key was used with another body and made the task {task}: use a new key for a new request."
    );
    ApiError::new(IDEMPOTENCY_CONFLICT, detail)
}

/// Checks what does not depend on the agent; answers the time-out in milliseconds.
fn check_bounds(body: &CreateTaskRequest, settings: &ApiSettings) -> ApiResult<Option<u64>> {
    if body.priority.is_some_and(|priority| !(1..=10).contains(&priority)) {
        return Err(ApiError::invalid("priority", "must lie between 1 and 10, 10 is the most urgent"));
    }
    let longest = settings.max_task_timeout.as_secs();
    if body.timeout_seconds.is_some_and(|seconds| !(1..=longest).contains(&seconds)) {
        return Err(ApiError::invalid("timeout_seconds", format!("must lie between 1 and {longest}")));
    }
    let metadata = serde_json::to_vec(&body.metadata).map_err(ApiError::internal)?;
    let most = settings.max_metadata_bytes;
    if metadata.len() > most {
        let why = format!("has {} bytes as JSON, {most} are allowed", metadata.len());
        return Err(ApiError::invalid("metadata", why));
    }
    threads::check_request(body)?;
    Ok(body.timeout_seconds.map(|seconds| seconds * 1000))
}

/// SHA-256 of what is asked: the same for bodies that differ in the order of fields or in white space only.
fn fingerprint(body: &CreateTaskRequest) -> ApiResult<[u8; 32]> {
    let mut hash = Sha256::new();
    canonical(&serde_json::to_value(body).map_err(ApiError::internal)?, &mut hash);
    Ok(hash.finalize().into())
}

/// Feeds a value to a hash, keys sorted. Lengths are part of it, so that no two values look alike.
fn canonical(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Array(items) => {
            hash.update(format!("[{}", items.len()));
            items.iter().for_each(|item| canonical(item, hash));
        }
        Value::Object(fields) => {
            hash.update(format!("{{{}", fields.len()));
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in fields {
                hash.update(format!("{}:{key}", key.len()));
                canonical(value, hash);
            }
        }
        Value::String(text) => hash.update(format!("\"{}:{text}", text.len())),
        scalar => hash.update(format!("{scalar};")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn body(json: &str) -> CreateTaskRequest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_fingerprint_is_of_the_meaning() {
        let of = |json: &str| fingerprint(&body(json)).unwrap();
        let one = of(r#"{"agent": "a", "input": {"x": 1, "y": [1, 2]}}"#);
        assert_eq!(one, of(r#"{"input":{"y":[1,2],"x":1},"agent":"a","priority":null}"#));
        for other in [
            r#"{"agent": "a", "input": {"x": 1, "y": [2, 1]}}"#,
            r#"{"agent": "a", "input": {"x": 1, "y": [[1], 2]}}"#,
            r#"{"agent": "a", "input": {"x": "1", "y": [1, 2]}}"#,
            r#"{"agent": "a", "input": {"x": 1, "y": [1, 2]}, "priority": 5}"#,
            r#"{"agent": "b", "input": {"x": 1, "y": [1, 2]}}"#,
        ] {
            assert_ne!(one, of(other), "{other}");
        }
    }

    #[test]
    fn bounds_are_kept() {
        let settings = ApiSettings::default();
        let check =
            |rest: &str| check_bounds(&body(&format!(r#"{{"agent": "a", "input": "x"{rest}}}"#)), &settings);
        assert_eq!(check(r#", "timeout_seconds": 3, "priority": 10"#).unwrap(), Some(3000));
        let big = format!(r#", "metadata": {{"k": "{}"}}"#, "x".repeat(settings.max_metadata_bytes));
        let far = format!(r#", "timeout_seconds": {}"#, u64::MAX);
        for bad in [r#", "priority": 0"#, r#", "priority": 11"#, r#", "timeout_seconds": 0"#, &far, &big] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
