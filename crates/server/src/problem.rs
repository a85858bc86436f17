//! Every error that the API answers, in one table, as RFC 9457 problem documents.
//!
//! A handler returns an [`ApiError`]; [`crate::request`] adds the request's id and writes the document. An error has
//! two texts: `detail` tells the client what to do, `log` tells the operator what happened.

use std::fmt::Display;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use agenticai_domain::spec::SpecError;
use agenticai_store::StoreError;
use agenticai_wire::{Problem, ProblemField};

/// A type of problem. Names and statuses are stable: clients decide by them.
#[derive(Debug)]
pub(crate) struct Kind {
    /// After `/problems/`.
    pub name: &'static str,
    /// Its HTTP status.
    pub status: StatusCode,
    /// The same for all problems of the type.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($constant:ident = $status:ident, $name:literal, $title:literal;)*) => {
        $(pub(crate) const $constant: &Kind = &Kind { name: $name, status: StatusCode::$status, title: $title };)*
        /// The whole table, for the documentation.
        pub(crate) const ALL: &[&Kind] = &[$($constant),*];
    };
}

kinds! {
    BAD_REQUEST = BAD_REQUEST, "bad-request", "The request cannot be read";
    MALFORMED_JSON = BAD_REQUEST, "malformed-json", "The body is no JSON";
    BAD_QUERY = BAD_REQUEST, "bad-query", "The query does not fit";
    BAD_HEADER = BAD_REQUEST, "bad-header", "A header does not fit";
    UNAUTHENTICATED = UNAUTHORIZED, "unauthenticated", "Who is asking?";
    NOT_FOUND = NOT_FOUND, "not-found", "There is nothing at this address";
    UNKNOWN_AGENT = NOT_FOUND, "unknown-agent", "There is no such agent";
    UNKNOWN_TASK = NOT_FOUND, "unknown-task", "There is no such task";
    UNKNOWN_THREAD = NOT_FOUND, "unknown-thread", "There is no such thread";
    UNKNOWN_SCHEDULE = NOT_FOUND, "unknown-schedule", "There is no such schedule";
    UNKNOWN_BUDGET = NOT_FOUND, "unknown-budget", "There is no such budget";
    UNKNOWN_STEP = NOT_FOUND, "unknown-step", "The task has no such step";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "method-not-allowed", "This address does not take the method";
    AGENT_EXISTS = CONFLICT, "agent-exists", "The agent's name is taken";
    THREAD_EXISTS = CONFLICT, "thread-exists", "The thread's name is taken";
    THREAD_BUSY = CONFLICT, "thread-busy", "A task of the thread has not ended";
    THREAD_FULL = CONFLICT, "thread-full", "Too many tasks wait in the thread";
    SCHEDULE_EXISTS = CONFLICT, "schedule-exists", "The schedule's name is taken";
    BUDGET_EXISTS = CONFLICT, "budget-exists", "The budget's name is taken";
    IDEMPOTENCY_CONFLICT = CONFLICT, "idempotency-conflict", "The Idempotency-Key was used for another request";
    TASK_ENDED = CONFLICT, "task-ended", "The task has ended";
    NOT_WAITING = CONFLICT, "not-waiting", "The step does not wait for this";
    ALREADY_DECIDED = CONFLICT, "already-decided", "Something else was decided before";
    REQUEST_UNAVAILABLE = CONFLICT, "request-unavailable", "The request cannot be built again";
    BUSY_TASK = CONFLICT, "busy-task", "The task kept changing";
    BUSY_SCHEDULE = CONFLICT, "busy-schedule", "The schedule kept changing";
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be JSON";
    INVALID_REQUEST = UNPROCESSABLE_ENTITY, "invalid-request", "The request does not fit";
    INVALID_AGENT = UNPROCESSABLE_ENTITY, "invalid-agent", "The agent's specification has mistakes";
    INVALID_SCHEDULE = UNPROCESSABLE_ENTITY, "invalid-schedule", "The schedule has mistakes";
    MODEL_NOT_SERVED = UNPROCESSABLE_ENTITY, "model-not-served", "Nobody serves the model";
    PRICE_UNKNOWN = UNPROCESSABLE_ENTITY, "price-unknown", "The model's price is unknown";
    REFUSED_DATA = UNPROCESSABLE_ENTITY, "refused-data", "The database cannot take this";
    INTERNAL = INTERNAL_SERVER_ERROR, "internal", "The server has a fault";
    UNREADABLE = INTERNAL_SERVER_ERROR, "stored-data-unreadable", "Stored data cannot be read";
    UNAVAILABLE = SERVICE_UNAVAILABLE, "unavailable", "The server cannot do this now";
}

/// The result of a handler.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// Why a request is not fulfilled.
#[derive(Debug, Clone)]
pub(crate) struct ApiError(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: &'static Kind,
    detail: String,
    errors: Vec<ProblemField>,
    headers: HeaderMap,
    log: Option<String>,
}

impl ApiError {
    /// A problem of a type of the table.
    pub fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        let (errors, headers) = (Vec::new(), HeaderMap::new());
        Self(Box::new(Parts { kind, detail: detail.into(), errors, headers, log: None }))
    }

    /// One mistake at a place in the body.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        let detail = format!("{path}: {message}");
        Self::new(INVALID_REQUEST, detail).with_errors(vec![ProblemField { path, message }])
    }

    /// All mistakes of an agent's specification.
    pub fn invalid_agent(found: Vec<SpecError>) -> Self {
        Self::mistakes(INVALID_AGENT, found)
    }

    /// All mistakes of a schedule.
    pub fn invalid_schedule(found: Vec<SpecError>) -> Self {
        Self::mistakes(INVALID_SCHEDULE, found)
    }

    fn mistakes(kind: &'static Kind, found: Vec<SpecError>) -> Self {
        let detail = match found.as_slice() {
            [one] => one.to_string(),
            many => {
                format!("{} mistakes, the first at {}", many.len(), many.first().map_or("?", |e| &e.path))
            }
        };
        let errors = found.into_iter().map(|e| ProblemField { path: e.path, message: e.message }).collect();
        Self::new(kind, detail).with_errors(errors)
    }

    /// A fault of the server itself; only the log learns what it was.
    pub fn internal(what: impl Display) -> Self {
        let detail = "The server has a fault; its log names it beside this request's id.";
        Self::new(INTERNAL, detail).logged(what)
    }

    /// A list that could not be read: what a store refuses there is the cursor.
    pub fn from_list(error: StoreError) -> Self {
        match error {
            StoreError::Refused(why) => Self::new(BAD_QUERY, format!("`cursor` does not fit: {why}.")),
            other => other.into(),
        }
    }

    /// Single mistakes.
    pub fn with_errors(mut self, errors: Vec<ProblemField>) -> Self {
        self.0.errors = errors;
        self
    }

    /// A header of the answer.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// What the operator is told.
    pub fn logged(mut self, what: impl Display) -> Self {
        self.0.log = Some(what.to_string());
        self
    }

    /// The type of the problem.
    #[cfg(test)]
    pub fn kind(&self) -> &'static Kind {
        self.0.kind
    }

    /// Writes the document. The operator's text goes to the log.
    pub fn render(self, request_id: &str) -> Response {
        let Parts { kind, detail, errors, headers, log } = *self.0;
        if let Some(what) = log {
            tracing::error!(request_id, problem = kind.name, "{what}");
        }
        let problem = Problem {
            kind: format!("/problems/{}", kind.name),
            title: kind.title.to_owned(),
            status: kind.status.as_u16(),
            detail,
            request_id: request_id.to_owned(),
            errors,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (kind.status, headers, body).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// The document itself is written by [`crate::request::observe`], which knows the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.kind.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) | StoreError::WentBack(_) | StoreError::Closed => Self::new(
                UNAVAILABLE,
                "The database did not answer. Whether a change went in is unknown: send it again, creations with \
                 the same Idempotency-Key.",
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            .logged(&error),
            StoreError::Refused(_) => Self::new(REFUSED_DATA, error.to_string()),
            StoreError::Unreadable(_) => {
                Self::new(UNREADABLE, "Stored data cannot be read by this program; its log says more.").logged(&error)
            }
        }
    }
}

/// Answers addresses that do not exist.
pub(crate) async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(NOT_FOUND, format!("Nothing is served at `{}`; /docs lists every address.", uri.path()))
}

/// Answers methods that an address does not take; axum adds the `Allow` header.
pub(crate) async fn method_not_allowed(method: axum::http::Method, uri: Uri) -> ApiError {
    ApiError::new(
        METHOD_NOT_ALLOWED,
        format!("`{}` does not take {method}; the header `Allow` says what it takes.", uri.path()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_problem_has_its_own_name() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), ALL.len());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
        }
    }
}
