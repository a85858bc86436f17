//! The scheduler: fires what is due. Any number of processes may run it; the store lets one of those who try succeed.
//!
//! A round reads what is due, decides with [`due`] and fires each schedule in one transaction; then it looks after the
//! firings that wait for an earlier task. Nothing is remembered between two rounds: a scheduler that is killed anywhere
//! leaves what the next round of any other finds, a task that was cancelled for its successor included.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use agenticai_broker::{Broker, Live, Poke};
use agenticai_domain::ids::TaskId;
use agenticai_domain::schedule::{FiringState, due, task_of};
use agenticai_domain::spec::SpecError;
use agenticai_domain::task::NewTask;
use agenticai_store::{
    Advance, AgentSelector, CancelOutcome, Fire, FireOutcome, NewFiring, QueuedFiring, Result, ScheduleRow,
    Store, StoreError,
};

use crate::quiet::warn_seldom;

/// Schedules that one round takes at most.
const CHUNK: u32 = 256;
/// The longest pause: how late a schedule can be noticed that was stored a moment ago, and how late a firing starts
/// whose predecessor has ended.
const LONGEST: Duration = Duration::from_millis(250);
/// The pause after a round that the store did not answer.
const TROUBLED: Duration = Duration::from_secs(1);

/// Fires schedules until it is stopped.
pub async fn run(store: Arc<dyn Store>, broker: Arc<dyn Broker>, stop: CancellationToken) {
    let scheduler = Scheduler { store, broker };
    loop {
        // Given up in the middle of a round it has done as much as one that is killed there.
        let pause = match stop.run_until_cancelled(scheduler.round()).await {
            None => return,
            Some(Ok(pause)) => pause,
            Some(Err(error)) => {
                warn_seldom!(%error, "schedules cannot be fired; trying again");
                TROUBLED
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

struct Scheduler {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
}

impl Scheduler {
    /// Does what can be done now; answers how long there is nothing to do.
    async fn round(&self) -> Result<Duration> {
        let schedules = self.store.due_schedules(CHUNK).await?;
        let mut moved = false;
        for schedule in &schedules {
            moved |= self.fire(schedule).await?;
        }
        for queued in self.store.queued_firings(CHUNK).await? {
            self.start(queued).await?;
        }
        // A full round has left some; one that moved nothing must not spin.
        if moved && schedules.len() == CHUNK as usize {
            return Ok(Duration::ZERO);
        }
        let next = self.store.next_occurrence_in().await?.unwrap_or(u64::MAX);
        let shortest = if moved || schedules.is_empty() { Duration::ZERO } else { LONGEST };
        Ok(Duration::from_millis(next).clamp(shortest, LONGEST))
    }

    /// Fires what is due of a schedule; `false` where somebody else has.
    async fn fire(&self, schedule: &ScheduleRow) -> Result<bool> {
        let Some(from) = schedule.next_fire_at else { return Ok(false) };
        let rule = match schedule.spec.check() {
            Ok(rule) => rule,
            Err(mistakes) => return self.stop(schedule, from, &mistakes).await,
        };
        let due = due(&schedule.spec, &rule, from, self.store.now().await?);
        if due.next == Some(from) {
            return Ok(false);
        }
        let mut firings = Vec::with_capacity(due.fire.len());
        for due_at in due.fire {
            let id = task_of(schedule.id, due_at);
            firings.push(NewFiring { id, due_at, task: self.task(schedule, id).await? });
        }
        self.advance(schedule, Advance { revision: schedule.revision, from, to: due.next }, firings).await
    }

    /// A schedule that this program cannot read as a rule (its zone is gone) fires no more until its owner mends it.
    async fn stop(&self, schedule: &ScheduleRow, from: i64, mistakes: &[SpecError]) -> Result<bool> {
        let why = mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        tracing::error!(schedule = %schedule.id, %why, "a schedule has become unreadable and stops");
        let firing = NewFiring { id: task_of(schedule.id, from), due_at: from, task: Err(why) };
        self.advance(schedule, Advance { revision: schedule.revision, from, to: None }, vec![firing]).await
    }

    async fn advance(
        &self,
        schedule: &ScheduleRow,
        advance: Advance,
        firings: Vec<NewFiring>,
    ) -> Result<bool> {
        let fire = Fire { tenant: schedule.tenant, schedule: schedule.id, advance: Some(advance), firings };
        let FireOutcome::Fired(fired) = self.store.fire(fire).await? else { return Ok(false) };
        for firing in &fired {
            let (state, why) = (firing.state.as_str(), firing.why.as_deref().unwrap_or_default());
            tracing::debug!(schedule = %schedule.id, task = %firing.task, state, why, "a schedule has fired");
        }
        if fired.iter().any(|firing| firing.state == FiringState::Created) {
            self.broker.hint();
        }
        Ok(true)
    }

    /// Starts a waiting firing, after the task that it is to replace was cancelled. The two are commits of their own:
    /// whoever is killed between them leaves the start to the next round.
    async fn start(&self, queued: QueuedFiring) -> Result<()> {
        let QueuedFiring { schedule, firing, blocked_by } = queued;
        if let Some(task) = blocked_by {
            self.cancel(&schedule, task).await?;
        }
        let task = self.task(&schedule, firing.task).await?;
        let new = NewFiring { id: firing.task, due_at: firing.due_at, task };
        let started = self.store.start_queued(schedule.tenant, schedule.id, new).await?;
        if started.is_some_and(|firing| firing.state == FiringState::Created) {
            self.broker.hint();
        }
        Ok(())
    }

    async fn cancel(&self, schedule: &ScheduleRow, task: TaskId) -> Result<()> {
        let why = format!("replaced by the next firing of the schedule `{}`", schedule.spec.name);
        match agenticai_store::cancel(self.store.as_ref(), schedule.tenant, task, &why).await? {
            CancelOutcome::Cancelled { seq, .. } => {
                self.broker.poke(Poke::Ended(task));
                self.broker.publish(task, Live::Appended { last_seq: seq });
            }
            // Ended in the meantime, or so busy that the next round tries again.
            CancelOutcome::AlreadyTerminal(_) | CancelOutcome::NotFound | CancelOutcome::Busy => {}
        }
        Ok(())
    }

    /// The task of a firing; an error says why there can be none.
    async fn task(&self, schedule: &ScheduleRow, id: TaskId) -> Result<std::result::Result<NewTask, String>> {
        let spec = &schedule.spec;
        let named = AgentSelector::from(spec.agent.as_str());
        let agent = match self.store.agent(schedule.tenant, named, spec.agent_version).await {
            Ok(agent) => agent,
            // One agent that cannot be read must not hold up the other schedules.
            Err(StoreError::Unreadable(why)) => return Ok(Err(format!("the agent cannot be read: {why}"))),
            Err(error) => return Err(error),
        };
        Ok(match (agent, spec.agent_version) {
            (Some(agent), _) => Ok(NewTask { created_by: schedule.created_by, ..spec.task(id, &agent) }),
            (None, None) => Err(format!("there is no agent `{}`", spec.agent)),
            (None, Some(version)) => {
                Err(format!("there is no version {version} of an agent `{}`", spec.agent))
            }
        })
    }
}
