//! Those who answer what tasks ask: they consent, refuse, answer, send signals, and find out what became of calls
//! whose outcome is unknown.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::{WaitKind, WaitingFor};
use agenticai_wire::SignalRequest;
use anyhow::Context as _;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{Api, ApiError};
use crate::stub::Stub;

/// The pause between two looks at what waits.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// People at work.
pub struct People {
    work: JoinHandle<Deeds>,
    stop: watch::Sender<bool>,
}

/// What they did; every number counts decisions that the server accepted.
#[derive(Debug, Default)]
pub struct Deeds {
    approved: usize,
    edited: usize,
    rejected: usize,
    answered: usize,
    signalled: usize,
    done: usize,
    not_done: usize,
    /// Tasks that they ended because a call's outcome was unknown.
    pub cancelled: BTreeSet<TaskId>,
    /// Answers of the server that nobody expects.
    pub surprises: Vec<String>,
}

impl People {
    /// Starts them.
    pub fn start(api: Api, stub: Arc<Stub>, seed: u64) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let work = tokio::spawn(async move {
            let mut deeds = Deeds::default();
            while !*stopped.borrow_and_update() {
                if let Ok(waiting) = api.tasks("status=waiting").await {
                    for task in waiting {
                        for wait in &task.waiting_for {
                            deeds.answer(&api, &stub, seed, task.id, wait).await;
                        }
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            deeds
        });
        Self { work, stop }
    }

    /// Lets them go home.
    pub async fn stop(self) -> anyhow::Result<Deeds> {
        let _ = self.stop.send(true);
        self.work.await.context("a person panicked")
    }
}

impl Deeds {
    async fn answer(&mut self, api: &Api, stub: &Stub, seed: u64, task: TaskId, wait: &WaitingFor) {
        let mut hasher = DefaultHasher::new();
        (seed, task, wait.step).hash(&mut hasher);
        let dice = hasher.finish() % 8;
        let (deed, result) = match wait.kind {
            WaitKind::Timer | WaitKind::Child => return,
            WaitKind::Approval => {
                let (decision, arguments) = match dice {
                    0 => ("reject", None),
                    1 => ("edit", Some(edited(&wait.arguments))),
                    _ => ("approve", None),
                };
                let decision_text = Some(decision.to_owned());
                let signal = SignalRequest { decision: decision_text, arguments, ..to_step(wait) };
                (decision, api.signal(task, &signal).await)
            }
            WaitKind::Input => {
                let signal = SignalRequest { value: Some(json!("yes")), ..to_step(wait) };
                ("answer", api.signal(task, &signal).await)
            }
            WaitKind::Signal => {
                let signal = SignalRequest {
                    name: wait.arguments["name"].as_str().map(str::to_owned),
                    payload: Some(json!({"from": "outside"})),
                    dedupe_id: Some(format!("signal-{}", wait.step)),
                    ..nothing()
                };
                ("signal", api.signal(task, &signal).await)
            }
            WaitKind::Uncertain => {
                // As a person would: look at the other side, where the call's key tells what became of it.
                let performed = stub.performed(&wait.step.idempotency_key(task));
                let (decision, result) = match (dice, performed) {
                    (0, _) => ("cancel", None),
                    (_, true) => ("done", Some(json!("found on the other side"))),
                    (_, false) => ("not_done", None),
                };
                (decision, api.resolve(task, wait.step, decision, result).await)
            }
        };
        match result {
            Ok(_) => self.count(deed, task),
            // The wait is over already, or the server is dead: a later look tells.
            Err(error) if error.passes() || matches!(error, ApiError::Refused(409, _)) => {
                if deed == "cancel" {
                    self.cancelled.insert(task);
                }
            }
            Err(refused) => self.surprises.push(format!("{deed} of {task} step {}: {refused}", wait.step)),
        }
    }

    fn count(&mut self, deed: &str, task: TaskId) {
        match deed {
            "approve" => self.approved += 1,
            "edit" => self.edited += 1,
            "reject" => self.rejected += 1,
            "answer" => self.answered += 1,
            "signal" => self.signalled += 1,
            "done" => self.done += 1,
            "not_done" => self.not_done += 1,
            _ => drop(self.cancelled.insert(task)),
        }
    }
}

fn to_step(wait: &WaitingFor) -> SignalRequest {
    SignalRequest { step: Some(wait.step), ..nothing() }
}

fn nothing() -> SignalRequest {
    SignalRequest {
        step: None,
        decision: None,
        arguments: None,
        reason: None,
        value: None,
        name: None,
        payload: None,
        dedupe_id: None,
    }
}

fn edited(arguments: &serde_json::Value) -> serde_json::Value {
    let mut arguments = arguments.clone();
    arguments["amount"] = json!(arguments["amount"].as_u64().unwrap_or(0) + 1_000_000);
    arguments
}

impl fmt::Display for Deeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, n) in [
            ("calls that people consented to", self.approved),
            ("calls that people changed", self.edited),
            ("calls that people refused", self.rejected),
            ("questions answered", self.answered),
            ("signals sent", self.signalled),
            ("uncertain calls resolved as done", self.done),
            ("uncertain calls resolved as not done", self.not_done),
            ("tasks that people ended over an uncertain call", self.cancelled.len()),
        ] {
            writeln!(f, "  {what:<52}{n:>8}")?;
        }
        Ok(())
    }
}
