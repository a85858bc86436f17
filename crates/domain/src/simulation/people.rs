//! People, children and the outside: who sends messages to the task.

use serde_json::json;

use super::coverage::Coverage;
use super::world::World;
use crate::inbox::{ApprovalDecision, InboxBody, ResolveDecision};
use crate::task::{End, TaskError, WaitKind, WaitingFor};
use crate::usage::{NanoUsd, Spend, Usage};

impl World {
    pub(super) fn deliver(&mut self, dedupe: String, body: InboxBody) {
        if self.store.deliver(dedupe, body) && self.rng.bool() {
            // A poke, which may be lost.
            for driver in self.workers.iter_mut().flatten() {
                driver.inbox.clone_from(&self.store.inbox);
                driver.news = true;
            }
        }
    }

    pub(super) fn early_signal(&mut self, coverage: &mut Coverage) {
        coverage.count("message before its wait");
        // Some ids come twice.
        self.messages += u64::from(self.rng.bool());
        let name = ["red", "green"][self.rng.usize(..2)].to_owned();
        self.deliver(
            format!("signal:{}", self.messages),
            InboxBody::Signal { name, payload: json!(self.messages) },
        );
    }

    /// Somebody answers one wait; `all` of them in calm, so that nothing is waited for in vain.
    pub(super) fn message(&mut self, coverage: &mut Coverage, all: bool) {
        let waits = self.truth.waiting_for(&self.agent);
        let count = if all { waits.len() } else { 1.min(waits.len()) };
        for wait in waits.into_iter().take(count) {
            let attempt = self.truth.call(wait.step).map_or(0, |(call, _, _)| call.attempt);
            let dedupe = format!("{:?}:{}:{attempt}", wait.kind, wait.step);
            if let Some(body) = self.answer_to(&wait, coverage) {
                self.deliver(dedupe, body);
            }
        }
    }

    pub(super) fn answer_to(&mut self, wait: &WaitingFor, coverage: &mut Coverage) -> Option<InboxBody> {
        let step = wait.step;
        Some(match wait.kind {
            WaitKind::Timer => return None,
            WaitKind::Signal => {
                let name = wait.arguments.get("name")?.as_str()?.to_owned();
                InboxBody::Signal { name, payload: json!("asked") }
            }
            WaitKind::Input => InboxBody::Input { step, value: json!("yes"), by: None },
            WaitKind::Approval => {
                let decision = match self.rng.u8(..4) {
                    0 => {
                        coverage.count("approval edited");
                        ApprovalDecision::Edit { arguments: json!({"n": 7}) }
                    }
                    1 => {
                        coverage.count("approval rejected");
                        ApprovalDecision::Reject { reason: None }
                    }
                    _ => {
                        coverage.count("approval");
                        ApprovalDecision::Approve
                    }
                };
                InboxBody::Approval { step, decision, by: None }
            }
            WaitKind::Child => {
                coverage.count("child");
                let end = match self.rng.u8(..3) {
                    0 => End::Failed { error: TaskError::new("simulated", "no luck") },
                    _ => End::Completed { output: json!("child") },
                };
                let usage = Usage { input_tokens: 3, output_tokens: 4, ..Usage::default() };
                let spend = Spend { usage, cost: Some(NanoUsd(50)) };
                InboxBody::ChildEnded { step, child: wait.child?, end, spend }
            }
            WaitKind::Uncertain => {
                coverage.count("uncertain resolved");
                let decision = match self.rng.u8(..10) {
                    0 => ResolveDecision::Cancel,
                    1..5 => ResolveDecision::NotDone,
                    _ => ResolveDecision::Done { result: json!("it happened") },
                };
                InboxBody::Resolve { step, decision, by: None }
            }
        })
    }
}
