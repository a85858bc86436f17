//! What a process does: claims, plans, appends, performs; and what lands.

use std::collections::HashSet;

use serde_json::json;

use super::coverage::Coverage;
use super::store::{Outcome as Appended, Row};
use super::world::{Broken, World};
use super::{agents, checks};
use crate::engine::{Context, Effect, Plan, Run, State, plan};
use crate::ids::{AgentId, StepId};
use crate::inbox::InboxMessage;
use crate::journal::{ModelAttempt, TurnCut};
use crate::outcome::{ChildOutcome, ModelOutcome, Outcome, ToolOutcome, ToolResult};
use crate::spec;
use crate::task::TaskError;
use crate::usage::{NanoUsd, Spend, Usage};

/// One process's hold on the task.
pub struct Driver {
    pub epoch: u32,
    pub state: State,
    pub inbox: Vec<InboxMessage>,
    pub outcomes: Vec<Outcome>,
    pub flights: Vec<Effect>,
    pub sent: HashSet<(StepId, u32)>,
    /// Decided and not answered by the store yet.
    pub pending: Option<Pending>,
    /// Something has happened since it planned last.
    pub news: bool,
}

pub struct Pending {
    pub id: u64,
    pub run: Run,
    pub effects: Vec<Effect>,
    pub kept: Vec<Outcome>,
}

impl World {
    /// An outcome arrives a second time.
    pub(super) fn duplicate(&mut self, worker: usize, coverage: &mut Coverage) {
        if let (Some(driver), Some(outcome)) = (&mut self.workers[worker], &self.landed) {
            coverage.count("duplicate outcome");
            driver.outcomes.push(outcome.clone());
            driver.news = true;
        }
    }

    pub(super) fn land(&mut self, worker: usize, coverage: &mut Coverage) -> Result<(), Broken> {
        let Some(driver) = &mut self.workers[worker] else { return Ok(()) };
        if driver.flights.is_empty() {
            return Ok(());
        }
        let at = self.rng.usize(..driver.flights.len());
        if at > 0 {
            coverage.count("result out of order");
        }
        let outcome = match driver.flights.swap_remove(at) {
            Effect::Model { turn } if self.rng.u8(..25) == 0 => {
                coverage.count("model call cut off");
                let usage = Usage { input_tokens: 20, ..Usage::default() };
                let spend = Spend { usage, cost: Some(NanoUsd(500)) };
                Outcome::ModelCut(TurnCut { turn, spend, reason: "simulated".to_owned() })
            }
            Effect::Model { turn } => {
                let usage = Usage { input_tokens: 20, output_tokens: 10, ..Usage::default() };
                let result = match self.rng.u8(..100) {
                    0 => Err(TaskError::new("model_unavailable", "simulated")),
                    _ => Ok(agents::answer(&mut self.rng, &self.agent, turn)),
                };
                if result.as_ref().is_ok_and(|a| a.calls.len() > 1) {
                    coverage.count("parallel calls");
                }
                Outcome::Model(ModelOutcome {
                    turn,
                    request: ModelAttempt {
                        provider: "simulated".to_owned(),
                        model: "simulated".to_owned(),
                        dialect: "simulated".to_owned(),
                        format: 1,
                        sha256: String::new(),
                    },
                    result,
                    spend: Spend { usage, cost: Some(NanoUsd(1000)) },
                    attempts: 1 + self.rng.u32(..2),
                    took_ms: 1,
                })
            }
            Effect::Tool { step, attempt, .. } => {
                let result = match self.rng.u8(..20) {
                    0 => ToolResult::error("http_500", "simulated"),
                    1 => ToolResult::Uncertain { reason: "no answer".to_owned() },
                    _ => ToolResult::ok(json!("result")),
                };
                Outcome::Tool { attempt, outcome: ToolOutcome { step, result, attempts: 1, took_ms: 1 } }
            }
            Effect::Child { step, .. } => {
                let agent = match self.rng.u8(..10) {
                    0 => Err("there is no agent `child`".to_owned()),
                    _ => Ok((AgentId(uuid::Uuid::nil()), 1)),
                };
                Outcome::Child(ChildOutcome { step, agent })
            }
        };
        self.landed = Some(outcome.clone());
        driver.outcomes.push(outcome);
        driver.news = true;
        Ok(())
    }

    /// A process does the next thing: claims, plans, or hands its run to the store.
    pub(super) fn step(
        &mut self,
        worker: usize,
        coverage: &mut Coverage,
        trouble: bool,
    ) -> Result<(), Broken> {
        let Some(driver) = &mut self.workers[worker] else { return self.claim(worker) };
        if let Some(pending) = driver.pending.take() {
            return self.append(worker, pending, coverage, trouble);
        }
        if !driver.news {
            return Ok(());
        }
        driver.news = false;
        let outcomes = std::mem::take(&mut driver.outcomes);
        let kept = outcomes.clone();
        // A worker's idea of the store's time lags a little.
        let now = self.store.now - self.rng.i64(0..3);
        let context =
            Context { agent: &self.agent, task: &self.task, now, epoch: driver.epoch, inbox: &driver.inbox };
        let Plan { run, effects } =
            plan(&mut driver.state, &context, outcomes).map_err(|e| format!("planning fails: {e}"))?;
        match run {
            Some(run) => driver.pending = Some(Pending { id: self.rng.u64(1..), run, effects, kept }),
            None => self.perform(worker, effects, coverage)?,
        }
        Ok(())
    }

    pub(super) fn claim(&mut self, worker: usize) -> Result<(), Broken> {
        let Some(epoch) = self.store.claim(worker) else { return Ok(()) };
        let state = State::replay(&self.agent, &self.task, &self.store.journal).map_err(|e| e.to_string())?;
        self.workers[worker] = Some(Driver {
            epoch,
            state,
            inbox: self.store.inbox.clone(),
            outcomes: Vec::new(),
            flights: Vec::new(),
            sent: HashSet::new(),
            pending: None,
            news: true,
        });
        Ok(())
    }

    pub(super) fn append(
        &mut self,
        worker: usize,
        pending: Pending,
        coverage: &mut Coverage,
        trouble: bool,
    ) -> Result<(), Broken> {
        let Some(driver) = &mut self.workers[worker] else { return Ok(()) };
        checks::uncertain_only_if_lost(&pending.run, &driver.flights)?;
        let appended = self.store.append(worker, driver.epoch, pending.id, &pending.run);
        if trouble && self.rng.u8(..10) == 0 {
            // The answer is lost on its way: the same run is sent again.
            coverage.count("append sent again");
            driver.pending = Some(pending);
            return self.check_new_entries();
        }
        match appended {
            Appended::Accepted { at } => {
                coverage.count("append accepted");
                driver.state.confirm(at);
                self.check_new_entries()?;
                match pending.run.after {
                    crate::engine::After::Continue => self.perform(worker, pending.effects, coverage),
                    _ => {
                        self.workers[worker] = None;
                        Ok(())
                    }
                }
            }
            Appended::InboxMoved => {
                coverage.count("append refused: inbox moved");
                driver.inbox.clone_from(&self.store.inbox);
                driver.state =
                    State::replay(&self.agent, &self.task, &self.store.journal).map_err(|e| e.to_string())?;
                let late = std::mem::replace(&mut driver.outcomes, pending.kept);
                driver.outcomes.extend(late);
                driver.news = true;
                Ok(())
            }
            refused => {
                coverage.count(match refused {
                    Appended::Fenced => "append fenced",
                    Appended::Terminal => "append refused: terminal",
                    _ => return Err("a worker that holds the task has the wrong seq".to_owned()),
                });
                self.workers[worker] = None;
                Ok(())
            }
        }
    }

    pub(super) fn check_new_entries(&mut self) -> Result<(), Broken> {
        for recorded in &self.store.journal[self.truth.next_seq() as usize - 1..] {
            self.truth.apply(&self.agent, recorded).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    pub(super) fn perform(
        &mut self,
        worker: usize,
        effects: Vec<Effect>,
        coverage: &mut Coverage,
    ) -> Result<(), Broken> {
        for effect in effects {
            let Some(driver) = &mut self.workers[worker] else { return Ok(()) };
            if driver.flights.iter().any(|flying| flying.step() == effect.step()) {
                continue;
            }
            let owns = self.store.row == (Row::Running { worker }) && self.store.epoch == driver.epoch;
            if let Effect::Tool { step, tool, attempt } = &effect {
                let tool = self.agent.tool(*tool).ok_or("an effect names a tool that does not exist")?;
                coverage.count(match tool.effect {
                    spec::Effect::None => "call none",
                    spec::Effect::Idempotent => "call idempotent",
                    spec::Effect::Once => "call once",
                });
                if tool.effect == spec::Effect::Once {
                    if !driver.sent.insert((*step, *attempt)) {
                        coverage.count("uncertain");
                        let result = ToolResult::Uncertain { reason: "lost".to_owned() };
                        let outcome = ToolOutcome { step: *step, result, attempts: 1, took_ms: 0 };
                        driver.outcomes.push(Outcome::Tool { attempt: *attempt, outcome });
                        driver.news = true;
                        continue;
                    }
                    let sent = self.sent.entry((*step, *attempt)).or_default();
                    *sent += 1;
                    if *sent > 1 {
                        return Err(format!("`once` call {step} was sent twice in attempt {attempt}"));
                    }
                    checks::started_before(&self.store.journal, *step, *attempt)?;
                }
                checks::approved_before(tool, &self.store.journal, *step)?;
            }
            if owns {
                checks::not_ended(&self.store.journal, &effect)?;
                checks::within_limits(&self.agent, &self.store.journal, &effect)?;
            }
            driver.flights.push(effect);
        }
        Ok(())
    }
}
