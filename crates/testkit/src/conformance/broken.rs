//! A store that is broken on purpose: it stands before a sound one and breaks one promise.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId};
use agenticai_domain::inbox::{InboxBody, InboxMessage};
use agenticai_domain::schedule::{Firing, FiringState};
use agenticai_domain::task::End;
use agenticai_domain::thread::IfActive;
use agenticai_domain::usage::Spend;
use agenticai_store::*;

use super::Fixture;
use super::faults::Fault;
use crate::front::Front;

/// A sound store behind a fault.
pub struct Broken {
    sound: Arc<dyn Store>,
    fixture: Box<dyn Fixture>,
    fault: Fault,
    seen: Mutex<Seen>,
}

/// What a broken store has to remember in order to be broken.
#[derive(Default)]
struct Seen {
    claims: HashMap<TaskId, (WorkerId, Claimed)>,
    tenants: HashMap<TaskId, TenantId>,
    ends: HashMap<TaskId, End>,
    numbers: u64,
}

impl Broken {
    /// Breaks the store of a fixture.
    pub fn new(fixture: Box<dyn Fixture>, fault: Fault) -> Self {
        Self { sound: fixture.store(), fixture, fault, seen: Mutex::default() }
    }

    /// See [`Fixture::add_tenant`].
    pub async fn add_tenant(&self) -> TenantId {
        self.fixture.add_tenant().await
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u64 {
        let mut seen = self.seen();
        seen.numbers += 1;
        seen.numbers
    }

    async fn append_one(&self, worker: WorkerId, mut run: Append) -> Result<AppendOutcome> {
        let mut worker = worker;
        match self.fault {
            Fault::EpochIgnored => {
                if let Some((owner, claimed)) = self.seen().claims.get(&run.task) {
                    (worker, run.epoch) = (*owner, claimed.epoch);
                }
            }
            Fault::InboxNotChecked => {
                let there = self.sound.inbox(run.task, 0).await?.len() as u64;
                if let Then::Wait { inbox_seen, .. } = &mut run.then {
                    *inbox_seen = there;
                }
            }
            Fault::RunNotAtomic if !run.entries.is_empty() => {
                let entries = std::mem::take(&mut run.entries);
                for entry in entries.iter().cloned() {
                    let piece = Append {
                        entries: [entry].into(),
                        children: Vec::new(),
                        charges: Vec::new(),
                        then: Then::Continue,
                        run: run.run ^ run.first_seq,
                        ..run
                    };
                    run.first_seq += 1;
                    self.sound.append(worker, vec![piece]).await?;
                }
            }
            Fault::ChildrenApart => {
                for task in run.children.drain(..) {
                    self.sound.create_task(CreateTask { task, idempotency: None, thread: None }).await?;
                }
            }
            Fault::ChargeForgotten => run.charges.clear(),
            Fault::ResendForgotten => run.run = self.number(),
            Fault::TimerLost => {
                if let Then::Wait { wake_at, .. } = &mut run.then {
                    *wake_at = None;
                }
            }
            _ => {}
        }
        Ok(self.sound.append(worker, vec![run]).await?.remove(0))
    }
}

#[async_trait]
impl Front for Broken {
    fn behind(&self) -> &dyn Store {
        self.sound.as_ref()
    }
    async fn append(&self, worker: WorkerId, runs: Vec<Append>) -> Result<Vec<AppendOutcome>> {
        let mut outcomes = Vec::new();
        for run in runs {
            outcomes.push(self.append_one(worker, run).await?);
        }
        Ok(outcomes)
    }
    async fn draw(&self, worker: WorkerId, request: DrawRequest) -> Result<Draw> {
        let spent_already = request.spent_already || self.fault == Fault::LimitIgnored;
        self.sound.draw(worker, DrawRequest { spent_already, ..request }).await
    }
    async fn declare_restored(&self) -> Result<u64> {
        let paused = self.sound.declare_restored().await?;
        if self.fault == Fault::PauseForgotten {
            self.sound.release_paused(PausedTasks::All).await?;
        }
        Ok(paused)
    }
    async fn release_paused(&self, which: PausedTasks) -> Result<u64> {
        match self.fault {
            Fault::ReleasedTooMany => self.sound.release_paused(PausedTasks::All).await,
            _ => self.sound.release_paused(which).await,
        }
    }
    async fn inbox(&self, task: TaskId, after: u64) -> Result<Vec<InboxMessage>> {
        let mut messages = self.sound.inbox(task, after).await?;
        if self.fault == Fault::ParentDeliveryLost {
            messages.retain(|message| !matches!(message.body, InboxBody::ChildEnded { .. }));
        }
        Ok(messages)
    }
    async fn create_task(&self, mut new: CreateTask) -> Result<CreateTaskOutcome> {
        self.seen().tenants.insert(new.task.id, new.task.tenant);
        if self.fault == Fault::KeysIgnored {
            new.idempotency = None;
        }
        match (self.fault, &mut new.thread) {
            (Fault::ThreadForgotten, thread) => *thread = None,
            (Fault::InterruptQueued, Some(thread)) => thread.if_active = IfActive::Queue,
            _ => {}
        }
        self.sound.create_task(new).await
    }
    async fn task_by_key(&self, tenant: TenantId, key: String) -> Result<Option<(TaskRow, [u8; 32])>> {
        match self.fault {
            Fault::KeysIgnored => Ok(None),
            _ => self.sound.task_by_key(tenant, key).await,
        }
    }
    async fn task(&self, mut tenant: TenantId, id: TaskId) -> Result<Option<TaskRow>> {
        let end = {
            let seen = self.seen();
            if self.fault == Fault::TenantIgnored
                && let Some(owner) = seen.tenants.get(&id)
            {
                tenant = *owner;
            }
            seen.ends.get(&id).cloned()
        };
        let mut row = self.sound.task(tenant, id).await?;
        if let (Some(row), Some(end)) = (&mut row, end) {
            row.status = end.status();
            row.end = Some(end);
        }
        Ok(row)
    }
    async fn list_tasks(
        &self,
        tenant: TenantId,
        filter: TaskFilter,
        mut cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<TaskRow>> {
        if self.fault == Fault::CursorIgnored {
            cursor = None;
        }
        let mut page = self.sound.list_tasks(tenant, filter, cursor, limit).await?;
        if self.fault == Fault::CursorIgnored && self.number() > 3 {
            page.next_cursor = None;
        }
        Ok(page)
    }
    async fn end_task(
        &self,
        tenant: TenantId,
        id: TaskId,
        seq: u64,
        end: End,
        spend: Spend,
    ) -> Result<EndOutcome> {
        let outcome = self.sound.end_task(tenant, id, seq, end.clone(), spend).await?;
        if self.fault == Fault::TerminalOverwritten && matches!(outcome, EndOutcome::AlreadyTerminal(_)) {
            self.seen().ends.insert(id, end);
            return Ok(EndOutcome::Ended);
        }
        Ok(outcome)
    }
    async fn deliver(
        &self,
        tenant: TenantId,
        id: TaskId,
        mut dedupe: String,
        body: InboxBody,
    ) -> Result<DeliverOutcome> {
        if self.fault == Fault::DedupeMissing {
            dedupe = format!("{dedupe}{}", self.number());
        }
        self.sound.deliver(tenant, id, dedupe, body).await
    }
    async fn superseded(&self, limit: u32) -> Result<Vec<(TenantId, TaskId)>> {
        match self.fault {
            Fault::SupersededForgotten => Ok(Vec::new()),
            _ => self.sound.superseded(limit).await,
        }
    }
    async fn mark_dead(&self, worker: WorkerId, beats: i64) -> Result<bool> {
        match self.fault {
            Fault::DeathNotWritten => Ok(true),
            _ => self.sound.mark_dead(worker, beats).await,
        }
    }
    async fn claim(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>> {
        let limit = wanted.limit;
        let mut claimed = self.sound.claim(worker, wanted).await?;
        let mut seen = self.seen();
        if self.fault == Fault::ClaimedTwice {
            let room = limit as usize - claimed.len();
            claimed.extend(seen.claims.values().map(|(_, claimed)| claimed.clone()).take(room));
        }
        for claimed in &claimed {
            seen.claims.insert(claimed.head.id, (worker, claimed.clone()));
        }
        Ok(claimed)
    }
    async fn fire(&self, mut fire: Fire) -> Result<FireOutcome> {
        match (self.fault, &mut fire.advance) {
            (Fault::StaleFiring, Some(advance)) => {
                let which = ScheduleSelector::Id(fire.schedule);
                if let Some(now) = self.sound.schedule(fire.tenant, which).await? {
                    advance.revision = now.revision;
                    advance.from = now.next_fire_at.unwrap_or(advance.from);
                }
            }
            (Fault::FiringRepeated, advance) => {
                *advance = None;
                for firing in &mut fire.firings {
                    firing.id = TaskId(uuid::Uuid::new_v4());
                    if let Ok(task) = &mut firing.task {
                        task.id = firing.id;
                    }
                }
            }
            _ => {}
        }
        self.sound.fire(fire).await
    }
    async fn start_queued(
        &self,
        tenant: TenantId,
        schedule: ScheduleId,
        firing: NewFiring,
    ) -> Result<Option<Firing>> {
        if self.fault != Fault::OverlapIgnored {
            return self.sound.start_queued(tenant, schedule, firing).await;
        }
        let firings = self.sound.firings(tenant, schedule, 1_000).await?;
        let waiting = firings.into_iter().find(|known| known.task == firing.id);
        let (Some(mut started), Ok(task)) = (waiting, firing.task) else { return Ok(None) };
        self.sound.create_task(CreateTask { task, idempotency: None, thread: None }).await?;
        started.state = FiringState::Created;
        Ok(Some(started))
    }
}
