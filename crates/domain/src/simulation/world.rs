//! A world around one task: processes that come and go, calls that land in any order, people, clocks.

use std::collections::HashMap;

use fastrand::Rng;

use super::coverage::Coverage;
use super::process::Driver;
use super::store::{Row, Store};
use super::{agents, checks};
use crate::engine::{Agent, State};
use crate::ids::StepId;
use crate::journal::Entry;
use crate::outcome::Outcome;
use crate::task::TaskHead;

/// Processes.
const WORKERS: usize = 3;

pub struct World {
    pub(super) rng: Rng,
    pub(super) agent: Agent,
    pub(super) task: TaskHead,
    pub(super) store: Store,
    /// What the journal means, folded entry by entry.
    pub(super) truth: State,
    pub(super) workers: [Option<Driver>; WORKERS],
    /// How often each `once` attempt was sent.
    pub(super) sent: HashMap<(StepId, u32), u32>,
    pub(super) landed: Option<Outcome>,
    pub(super) messages: u64,
}

/// A broken promise, in words.
pub type Broken = String;

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
}
