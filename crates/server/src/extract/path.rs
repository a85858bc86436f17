//! Parts of the address.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use agenticai_domain::ids::TaskId;

use crate::problem::{ApiError, ApiResult, NOT_FOUND, UNKNOWN_TASK};

/// Parameters of the address, as texts: what they must look like is said by whoever looks them up.
pub(crate) struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let unreadable = |why| ApiError::new(NOT_FOUND, format!("The address cannot be read: {why}."));
        Path::from_request_parts(parts, state).await.map(|Path(value)| Self(value)).map_err(unreadable)
    }
}

/// A task's id. A text that is none names no task.
pub(crate) fn task_id(text: &str) -> ApiResult<TaskId> {
    text.parse().map_err(|_| unknown_task(text))
}

pub(crate) fn unknown_task(id: impl std::fmt::Display) -> ApiError {
    ApiError::new(UNKNOWN_TASK, format!("There is no task `{id}`."))
}
