//! One call as a series of attempts, under the rule of its tool's effect class.
//!
//! Whoever makes an attempt says what is known afterwards, and this module alone decides what follows:
//!
//! | attempt | `none`, `idempotent` | `once` |
//! | --- | --- | --- |
//! | ended | reported | reported |
//! | passing: a complete answer that asks to try again | tried again | reported: the request was received |
//! | not sent: certainly nothing left this machine | tried again | tried again |
//! | unknown: sent, perhaps, and no complete answer | tried again | **uncertain**: a person decides |
//!
//! Time is bounded per attempt, by [`within`]. Each attempt asks the lease directly before it sends.

use std::time::Duration;

use agenticai_domain::journal::CallOutcome;
use agenticai_domain::outcome::ToolResult;
use agenticai_domain::spec::{Effect, RetryPolicy, ToolDef};
use futures_util::future::BoxFuture;

use crate::call::{CallContext, LEASE_POLL};

/// What is known after one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It answered, or failed in a way that trying again would not change.
    Ended(CallOutcome),
    /// A complete answer that says that another try may do.
    Passing {
        /// The answer, should it be the last one.
        outcome: CallOutcome,
        /// The pause that was asked for.
        retry_after: Option<Duration>,
    },
    /// It failed before the first byte was sent.
    NotSent(Failure),
    /// It may have been received, and no complete answer came.
    Unknown(Failure),
    /// The worker's lease no longer holds; nothing was sent.
    LeaseLost,
}

/// A failure in words.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Stable, for programs.
    pub code: &'static str,
    /// For the model and for people.
    pub message: String,
}

impl Failure {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn ended(self) -> ToolResult {
        ToolResult::error(self.code, self.message)
    }
}

impl Attempt {
    /// A failure for good.
    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::Ended(CallOutcome::Error { code: code.to_owned(), message: message.into() })
    }

    /// An answer.
    pub fn answered(content: serde_json::Value) -> Self {
        Self::Ended(CallOutcome::Ok { content })
    }
}

/// Performs attempts until one of them decides the call. `attempt` is given its number as it is sent, from
/// `ctx.first_attempt`. Answers with the result and how many attempts were made.
pub(crate) async fn perform<'a>(
    def: &ToolDef,
    ctx: &CallContext,
    attempt: impl Fn(u32) -> BoxFuture<'a, Attempt>,
) -> (ToolResult, u32) {
    let once = def.effect == Effect::Once;
    let mut made = 0;
    loop {
        made += 1;
        let number = ctx.first_attempt.saturating_add(made - 1);
        let end = attempt(number).await;
        let last = made >= def.retry.max_attempts;
        let pause = match end {
            Attempt::Ended(outcome) => return (ToolResult::Ended(outcome), made),
            Attempt::LeaseLost if (ctx.lease_gone)() => return (lease_lost(), made - 1),
            // Nothing was sent, so it was no attempt.
            Attempt::LeaseLost => {
                made -= 1;
                LEASE_POLL
            }
            Attempt::Passing { outcome, .. } if once || last => return (ToolResult::Ended(outcome), made),
            Attempt::Passing { outcome, retry_after } => match retry_after {
                // Waiting longer than the policy allows would hold the task's place for nothing.
                Some(asked) if asked > Duration::from_millis(def.retry.max_ms) => {
                    return (ToolResult::Ended(ask_later(outcome, asked)), made);
                }
                asked => backoff(&def.retry, made).max(asked.unwrap_or_default()),
            },
            Attempt::NotSent(failure) if last => return (failure.ended(), made),
            Attempt::Unknown(failure) if once => {
                return (ToolResult::Uncertain { reason: failure.message }, made);
            }
            Attempt::Unknown(failure) if last => return (failure.ended(), made),
            Attempt::NotSent(failure) | Attempt::Unknown(failure) => {
                tracing::debug!(
                    tool = def.name,
                    attempt = number,
                    code = failure.code,
                    "tool call is tried again"
                );
                backoff(&def.retry, made)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Bounds the part of an attempt that sends and waits for the answer.
pub(crate) async fn within(def: &ToolDef, attempt: impl Future<Output = Attempt>) -> Attempt {
    let bound = Duration::from_millis(def.timeout_ms);
    tokio::time::timeout(bound, attempt).await.unwrap_or_else(|_| {
        Attempt::Unknown(Failure::new(
            "timeout",
            format!("no complete answer within {} s", bound.as_secs_f64()),
        ))
    })
}

fn lease_lost() -> ToolResult {
    ToolResult::error("lease_lost", "this worker no longer holds the task, so nothing was sent")
}

fn ask_later(outcome: CallOutcome, asked: Duration) -> CallOutcome {
    match outcome {
        CallOutcome::Error { code, message } => {
            let message =
                format!("{message} (the server asks to wait {} s before the next try)", asked.as_secs());
            CallOutcome::Error { code, message }
        }
        ok => ok,
    }
}

/// Half to all of the doubled pause, so that calls that failed together do not come back together.
fn backoff(policy: &RetryPolicy, made: u32) -> Duration {
    let doubled = policy.initial_ms.saturating_mul(1 << (made - 1).min(20)).min(policy.max_ms);
    Duration::from_millis(doubled / 2 + fastrand::u64(0..=doubled / 2))
}
