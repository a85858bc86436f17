//! What every call to the outside carries and obeys.

use std::sync::Arc;
use std::time::Duration;

use agenticai_domain::ids::{StepId, TaskId, TenantId};

/// While a lease is in doubt it is asked again this often.
pub(crate) const LEASE_POLL: Duration = Duration::from_millis(100);

/// Who calls, and until when it may.
#[derive(Clone)]
pub struct CallContext {
    /// The task's tenant.
    pub tenant: TenantId,
    /// The task; sent as `x-agenticai-task`.
    pub task: TaskId,
    /// The step; sent as `x-agenticai-step`. With the task it makes the `Idempotency-Key`.
    pub step: StepId,
    /// The epoch under which the worker holds the task; sent as `x-agenticai-epoch`.
    pub epoch: u32,
    /// The journaled attempt of a `once` call, from 1. Retries inside one performance count on from it in
    /// `x-agenticai-attempt`.
    pub first_attempt: u32,
    /// How many tasks are above this one.
    pub depth: u32,
    /// W3C trace context of the task, passed on as `traceparent`.
    pub traceparent: Option<String>,
    /// Whether the worker's lease still holds. Asked directly before anything with an effect is sent; where it says
    /// no, nothing is sent.
    pub may_send: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether the lease is lost for good. Until then one that does not hold is only in doubt, as in an outage of the
    /// database: what is to be sent waits.
    pub lease_gone: Arc<dyn Fn() -> bool + Send + Sync>,
}
