//! Which part gets which.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::StartError;
use super::identity::Owner;
use crate::commands::Context;
use crate::exit::Failure;

/// The parts of a node that have to be stopped.
pub struct Parts {
    /// Whose installation it is.
    pub owner: Owner,
}

/// Puts the parts together.
pub async fn assemble(
    _context: &Context,
    _closing: &CancellationToken,
) -> Result<(Parts, axum::Router), StartError> {
    Err(StartError::Failed(Failure::failed("this build holds no server")))
}

impl Parts {
    /// Which model `assistant` uses, and why.
    pub fn model_line(&self) -> String {
        String::new()
    }

    /// Returns when the worker has ended.
    pub async fn worker_ended(&mut self) -> Result<(), String> {
        std::future::pending().await
    }

    /// Stops claiming and gives steps in flight `within`, or less once `hurry` is cancelled.
    pub async fn drain(&self, _within: Duration, _hurry: CancellationToken) {}

    /// Closes the store.
    pub async fn close(self) {}
}
