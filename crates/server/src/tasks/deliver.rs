//! Messages to a step that waits, delivered exactly once per wait.
//!
//! A person's decision is sent from a browser or a terminal, and sent again when the answer is lost. The same decision
//! on the same wait is therefore welcome twice, and another one is refused. What makes a wait the same is its step,
//! its kind, and how many messages of that kind the step has consumed before: a call whose outcome was unknown, was
//! decided, was sent again and is unknown again waits a second time, and needs a second decision.

use agenticai_domain::ids::StepId;
use agenticai_domain::inbox::{InboxBody, InboxMessage};
use agenticai_domain::journal::{Entry, Recorded};
use agenticai_domain::task::{WaitKind, WaitingFor};
use agenticai_store::{DeliverOutcome, TaskRow};

use super::cancel::ended;
use super::standing::Standing;
use crate::extract::unknown_task;
use crate::problem::{ALREADY_DECIDED, ApiError, ApiResult, NOT_WAITING};
use crate::state::Api;

impl Api {
    /// Delivers a message to the step that it names. `standing` is the state that its wait was found in.
    pub async fn deliver_to_step(
        &self,
        row: &TaskRow,
        standing: &Standing,
        body: InboxBody,
    ) -> ApiResult<()> {
        let Some(step) = body.step() else { return Err(ApiError::internal("a message without a step")) };
        let consumed = consumed(&standing.journal, step, body.ends());
        if standing.wait(step, body.ends()).is_none() {
            return match consumed.last() {
                Some(last) if same(&last.body, &body) => Ok(()),
                Some(_) => Err(decided(step)),
                None => Err(not_waiting(step, body.ends(), &standing.waiting_for)),
            };
        }
        let (id, wait) = (row.head.id, consumed.len());
        let dedupe = format!("{}:{step}:{wait}", kind_name(body.ends()));
        match self.store.deliver(row.head.tenant, id, dedupe, body.clone()).await? {
            DeliverOutcome::Delivered => {
                self.wake(id);
                Ok(())
            }
            DeliverOutcome::Duplicate => {
                let inbox = self.store.inbox(id, 0).await?;
                let of_step = |m: &&InboxMessage| m.body.step() == Some(step) && m.body.ends() == body.ends();
                match inbox.iter().filter(of_step).nth(wait) {
                    Some(first) if same(&first.body, &body) => Ok(()),
                    _ => Err(decided(step)),
                }
            }
            DeliverOutcome::AlreadyTerminal(status) => Err(ended(id, status)),
            DeliverOutcome::NotFound => Err(unknown_task(id)),
        }
    }
}

/// The messages of a kind that a step has consumed, oldest first.
fn consumed(journal: &[Recorded], step: StepId, kind: WaitKind) -> Vec<&InboxMessage> {
    let of_step = |recorded: &'_ Recorded| matches!(&recorded.entry, Entry::Received(r) if r.step == step && r.message.body.ends() == kind);
    journal
        .iter()
        .filter(|recorded| of_step(recorded))
        .filter_map(|recorded| match &recorded.entry {
            Entry::Received(received) => Some(&received.message),
            _ => None,
        })
        .collect()
}

/// Whether two messages say the same, whoever sent them.
fn same(one: &InboxBody, other: &InboxBody) -> bool {
    match (one, other) {
        (InboxBody::Approval { decision: a, .. }, InboxBody::Approval { decision: b, .. }) => a == b,
        (InboxBody::Resolve { decision: a, .. }, InboxBody::Resolve { decision: b, .. }) => a == b,
        (InboxBody::Input { value: a, .. }, InboxBody::Input { value: b, .. }) => a == b,
        _ => one == other,
    }
}

fn decided(step: StepId) -> ApiError {
    ApiError::new(ALREADY_DECIDED, format!("Step {step} has been decided otherwise; the first word counts."))
}

fn not_waiting(step: StepId, kind: WaitKind, waits: &[WaitingFor]) -> ApiError {
    let list: Vec<_> = waits
        .iter()
        .map(|wait| format!("step {} for {} ({})", wait.step, kind_name(wait.kind), wait.tool))
        .collect();
    let now = if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
    ApiError::new(
        NOT_WAITING,
        format!("Step {step} does not wait for {}. The task waits for: {now}.", kind_name(kind)),
    )
}

/// As it stands in JSON.
pub(crate) fn kind_name(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Timer => "timer",
        WaitKind::Signal => "signal",
        WaitKind::Approval => "approval",
        WaitKind::Input => "input",
        WaitKind::Child => "child",
        WaitKind::Uncertain => "uncertain",
    }
}
