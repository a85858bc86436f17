//! A world around one task: processes that come and go, calls that land in any order, people, clocks.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use serde_json::json;

use super::agents;
use super::checks;
use super::coverage::Coverage;
use super::store::{Outcome as Appended, Row, Store};
use crate::engine::{Agent, Context, Effect, Plan, Run, State, plan};
use crate::ids::{AgentId, StepId};
use crate::inbox::{ApprovalDecision, InboxBody, InboxMessage, ResolveDecision};
use crate::journal::{Entry, ModelAttempt};
use crate::outcome::{ChildOutcome, ModelOutcome, Outcome, ToolOutcome, ToolResult};
use crate::spec;
use crate::task::{End, TaskError, TaskHead, WaitKind, WaitingFor};
use crate::usage::{NanoUsd, Spend, Usage};

/// Processes.
const WORKERS: usize = 3;

/// One process's hold on the task.
struct Driver {
    epoch: u32,
    state: State,
    inbox: Vec<InboxMessage>,
    outcomes: Vec<Outcome>,
    flights: Vec<Effect>,
    sent: HashSet<(StepId, u32)>,
    /// Decided and not answered by the store yet.
    pending: Option<Pending>,
    /// Something has happened since it planned last.
    news: bool,
}

struct Pending {
    id: u64,
    run: Run,
    effects: Vec<Effect>,
    kept: Vec<Outcome>,
}

pub struct World {
    rng: Rng,
    agent: Agent,
    task: TaskHead,
    store: Store,
    /// What the journal means, folded entry by entry.
    truth: State,
    workers: [Option<Driver>; WORKERS],
    /// How often each `once` attempt was sent.
    sent: HashMap<(StepId, u32), u32>,
    landed: Option<Outcome>,
    messages: u64,
}

type Broken = String;

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (agent, task) = agents::agent_and_task(&mut rng);
        let truth = State::new(&agent, &task);
        let store = Store::new(task.created_at);
        Self {
            rng,
            agent,
            task,
            store,
            truth,
            workers: [None, None, None],
            sent: HashMap::new(),
            landed: None,
            messages: 0,
        }
    }

    /// Lives one history: trouble at first, then calm, in which the task has to come to an end.
    pub fn live(mut self, coverage: &mut Coverage) -> Result<(), Broken> {
        let trouble = self.rng.usize(40..200);
        let mut after_the_end = 0;
        for _ in 0..trouble {
            // Whoever still holds the task then has to learn that it is over.
            after_the_end += usize::from(matches!(self.store.row, Row::Ended(_)));
            if after_the_end > 20 {
                break;
            }
            self.act(coverage)?;
        }
        for _ in 0..4000 {
            if matches!(self.store.row, Row::Ended(_)) {
                break;
            }
            self.calm(coverage)?;
        }
        let Row::Ended(end) = &self.store.row else {
            return Err(format!("it does not come to an end: {:?}", self.truth.waiting_for(&self.agent)));
        };
        coverage.add("entries", self.store.journal.len() as u64);
        let timers = self.store.journal.iter().filter(|r| matches!(r.entry, Entry::TimerFired(_)));
        coverage.add("timer", timers.count() as u64);
        checks::journal(&self.agent, &self.task, &self.store.journal, end)
    }

    fn act(&mut self, coverage: &mut Coverage) -> Result<(), Broken> {
        let worker = self.rng.usize(..WORKERS);
        match self.rng.u32(..1000) {
            0..15 => self.crash(worker, coverage),
            15..25 => self.take_over(coverage),
            25..60 => self.message(coverage, false),
            60..80 => self.early_signal(coverage),
            80..120 => self.pass_time(),
            120..122 => {
                coverage.count("cancel");
                self.store.cancel();
                return self.check_new_entries();
            }
            122..135 => self.duplicate(worker, coverage),
            135..300 => self.land(worker, coverage)?,
            _ => self.step(worker, coverage, true)?,
        }
        Ok(())
    }

    fn calm(&mut self, coverage: &mut Coverage) -> Result<(), Broken> {
        let lost = |row: &Row, workers: &[Option<Driver>; WORKERS], epoch: u32| match row {
            Row::Running { worker } => workers[*worker].as_ref().is_none_or(|d| d.epoch != epoch),
            _ => false,
        };
        if lost(&self.store.row, &self.workers, self.store.epoch) {
            self.store.take_over();
        }
        let worker = match self.store.row {
            Row::Running { worker } => worker,
            _ => self.rng.usize(..WORKERS),
        };
        self.land(worker, coverage)?;
        self.step(worker, coverage, false)?;
        if self.rng.u8(..4) == 0 {
            self.pass_time();
        }
        if self.rng.u8(..4) == 0 {
            self.message(coverage, true);
        }
        self.store.wake_due();
        Ok(())
    }

    fn crash(&mut self, worker: usize, coverage: &mut Coverage) {
        if let Some(driver) = self.workers[worker].take() {
            coverage.count("crash");
            if !driver.flights.is_empty() {
                coverage.count("crash with calls in flight");
            }
            if self.store.row == (Row::Running { worker }) && self.rng.bool() {
                self.store.take_over();
            }
        }
    }

    /// The owner is declared dead, whether it is or not: if it is not, it goes on as a zombie.
    fn take_over(&mut self, coverage: &mut Coverage) {
        if let Row::Running { worker } = self.store.row {
            if self.workers[worker].is_some() {
                coverage.count("takeover from a living worker");
            }
            self.store.take_over();
        }
    }

    fn pass_time(&mut self) {
        self.store.now += self.rng.i64(1..1500);
        self.store.wake_due();
        for driver in self.workers.iter_mut().flatten() {
            driver.news = true;
        }
    }

    fn deliver(&mut self, dedupe: String, body: InboxBody) {
        if self.store.deliver(dedupe, body) && self.rng.bool() {
            // A poke, which may be lost.
            for driver in self.workers.iter_mut().flatten() {
                driver.inbox.clone_from(&self.store.inbox);
                driver.news = true;
            }
        }
    }

    fn early_signal(&mut self, coverage: &mut Coverage) {
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
    fn message(&mut self, coverage: &mut Coverage, all: bool) {
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

    fn answer_to(&mut self, wait: &WaitingFor, coverage: &mut Coverage) -> Option<InboxBody> {
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

    /// An outcome arrives a second time.
    fn duplicate(&mut self, worker: usize, coverage: &mut Coverage) {
        if let (Some(driver), Some(outcome)) = (&mut self.workers[worker], &self.landed) {
            coverage.count("duplicate outcome");
            driver.outcomes.push(outcome.clone());
            driver.news = true;
        }
    }

    fn land(&mut self, worker: usize, coverage: &mut Coverage) -> Result<(), Broken> {
        let Some(driver) = &mut self.workers[worker] else { return Ok(()) };
        if driver.flights.is_empty() {
            return Ok(());
        }
        let at = self.rng.usize(..driver.flights.len());
        if at > 0 {
            coverage.count("result out of order");
        }
        let outcome = match driver.flights.swap_remove(at) {
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
    fn step(&mut self, worker: usize, coverage: &mut Coverage, trouble: bool) -> Result<(), Broken> {
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

    fn claim(&mut self, worker: usize) -> Result<(), Broken> {
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

    fn append(
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

    fn check_new_entries(&mut self) -> Result<(), Broken> {
        for recorded in &self.store.journal[self.truth.next_seq() as usize - 1..] {
            self.truth.apply(&self.agent, recorded).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn perform(
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
