//! Driving one task: plan, append, perform, until it waits, ends, or is somebody else's.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use agenticai_agent::call::CallContext;
use agenticai_broker::{Broker, Live};
use agenticai_domain::engine::{After, Agent, Context, Effect, ReplayError, Run, State, plan};
use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::inbox::InboxMessage;
use agenticai_domain::outcome::{ChildOutcome, Outcome, ToolOutcome, ToolResult};
use agenticai_domain::spec;
use agenticai_domain::task::{TaskError, TaskHead, codes};
use agenticai_store::{AgentSelector, Append, AppendOutcome, Claimed, Store, StoreError, Then};

use crate::agents::{AgentCache, AgentError};
use crate::appender::Appender;
use crate::clock::Clock;
use crate::lease::Lease;
use crate::metrics::{Kind, WorkerMetrics, count};
use crate::perform::{ModelJob, Performer, TokenSinkOf, ToolJob};

/// What all drivers of one incarnation share.
pub struct Shared {
    pub store: Arc<dyn Store>,
    pub broker: Arc<dyn Broker>,
    pub performer: Arc<dyn Performer>,
    pub agents: Arc<AgentCache>,
    pub appender: Appender,
    pub lease: Arc<Lease>,
    pub clock: Arc<Clock>,
    pub metrics: Arc<WorkerMetrics>,
    /// No new effects any more: finish what is in flight and hand back.
    pub drain: CancellationToken,
    /// The drain time is over: only open `once` calls are still waited for.
    pub drained: CancellationToken,
    /// Hand everything back at once.
    pub now: CancellationToken,
}

/// How a driver hears of news about its task.
#[derive(Default)]
pub struct Slot {
    pub inbox: AtomicBool,
    pub ended: AtomicBool,
    pub news: Notify,
}

/// How driving a task came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It waits or has ended: the store knows.
    Settled,
    /// It is to be handed back.
    Release,
    /// It is no longer this worker's.
    Lost,
}

/// Why a task cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("{0}")]
    Agent(String),
}

type Flight = (StepId, Outcome);

/// One task in this worker's hands.
pub struct Driver {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    head: TaskHead,
    epoch: u32,
    agent: Arc<Agent>,
    state: State,
    inbox: Vec<InboxMessage>,
    outcomes: Vec<Outcome>,
    flights: FuturesUnordered<BoxFuture<'static, Flight>>,
    /// Calls of `once` tools. They are never aborted: a result that comes too late is kept beside the journal.
    once_flights: FuturesUnordered<BoxFuture<'static, Flight>>,
    flying: HashSet<StepId>,
    /// `once` attempts that this driver has sent: none is sent twice, whatever the journal says.
    sent: HashSet<(StepId, u32)>,
}

impl Driver {
    /// Reads what is needed to go on with a claimed task.
    pub async fn open(shared: Arc<Shared>, slot: Arc<Slot>, claimed: Claimed) -> Result<Self, DriveError> {
        let Claimed { head, epoch, last_seq, inbox_seq } = claimed;
        let agent = loop {
            match shared.agents.get(shared.store.as_ref(), &head).await {
                Ok(agent) => break agent,
                Err(AgentError::Store(StoreError::Unavailable(why))) => {
                    tracing::warn!(%why, task = %head.id, "an agent could not be read; trying again");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(AgentError::Store(error)) => return Err(error.into()),
                Err(AgentError::Unusable(why)) => return Err(DriveError::Agent(why)),
            }
        };
        let state = State::new(&agent, &head);
        let mut driver = Self {
            shared,
            slot,
            head,
            epoch,
            agent,
            state,
            inbox: Vec::new(),
            outcomes: Vec::new(),
            flights: FuturesUnordered::new(),
            once_flights: FuturesUnordered::new(),
            flying: HashSet::new(),
            sent: HashSet::new(),
        };
        if last_seq > 0 {
            driver.reload().await?;
        }
        if inbox_seq > 0 {
            driver.read_inbox().await?;
        }
        Ok(driver)
    }

    /// Drives until the task is no longer this driver's business.
    pub async fn run(mut self) -> Result<Finish, DriveError> {
        let result = self.advance().await;
        self.keep_late_results();
        result
    }

    async fn advance(&mut self) -> Result<Finish, DriveError> {
        loop {
            let context = Context {
                agent: &self.agent,
                task: &self.head,
                now: self.shared.clock.now(),
                epoch: self.epoch,
                inbox: &self.inbox,
            };
            let outcomes = std::mem::take(&mut self.outcomes);
            let kept = outcomes.clone();
            let plan = plan(&mut self.state, &context, outcomes)?;
            if let Some(run) = plan.run
                && let Some(finish) = self.commit(run, kept).await?
            {
                return Ok(finish);
            }
            if self.outcomes.is_empty() {
                self.start(plan.effects);
            }
            if self.outcomes.is_empty()
                && let Some(finish) = self.until_news().await?
            {
                return Ok(finish);
            }
        }
    }

    /// Commits a run; `None`: plan again.
    async fn commit(&mut self, run: Run, kept: Vec<Outcome>) -> Result<Option<Finish>, DriveError> {
        let spend = self.state.spend();
        let then = match &run.after {
            After::Continue => Then::Continue,
            After::Wait { waiting_for, wake_at, inbox_seen } => Then::Wait {
                waiting_for: waiting_for.clone(),
                wake_at: *wake_at,
                inbox_seen: *inbox_seen,
                spend,
            },
            After::End(end) => Then::End { end: end.clone(), spend },
        };
        let last_seq = run.first_seq + run.entries.len() as u64 - 1;
        let append = Append {
            task: self.head.id,
            epoch: self.epoch,
            run: uuid::Uuid::new_v4().as_u64_pair().0,
            first_seq: run.first_seq,
            entries: run.entries,
            children: run.children,
            then,
        };
        let hint =
            !append.children.is_empty() || (self.head.parent.is_some() && matches!(run.after, After::End(_)));
        let appender = self.shared.appender.clone();
        let mut appending = std::pin::pin!(appender.append(append));
        // Calls in flight go on while the commit is under way.
        let outcome = loop {
            tokio::select! {
                outcome = &mut appending => break outcome?,
                Some(flight) = self.flights.next(), if !self.flights.is_empty() => self.landed(flight),
                Some(flight) = self.once_flights.next(), if !self.once_flights.is_empty() => self.landed(flight),
            }
        };
        match outcome {
            AppendOutcome::Accepted { at } | AppendOutcome::AlreadyMine { at } => {
                self.state.confirm(at);
                self.shared.broker.publish(self.head.id, Live::Appended { last_seq });
                if hint {
                    self.shared.broker.hint();
                }
                match run.after {
                    After::Continue => Ok(None),
                    After::Wait { .. } => Ok(Some(Finish::Settled)),
                    After::End(end) => {
                        self.shared.metrics.count_end(end.status());
                        if let Some(parent) = self.head.parent {
                            self.shared.broker.poke(agenticai_broker::Poke::Inbox(parent.task));
                        }
                        tracing::debug!(task = %self.head.id, status = end.status().as_str(), "ended");
                        Ok(Some(Finish::Settled))
                    }
                }
            }
            AppendOutcome::Overtaken => {
                self.reload().await?;
                self.again(kept);
                Ok(None)
            }
            AppendOutcome::InboxMoved => {
                self.read_inbox().await?;
                self.reload().await?;
                self.again(kept);
                Ok(None)
            }
            AppendOutcome::Fenced => {
                self.again(kept);
                Ok(Some(Finish::Lost))
            }
            AppendOutcome::Terminal(_) => {
                self.again(kept);
                Ok(Some(Finish::Settled))
            }
            AppendOutcome::Refused(why) => {
                tracing::warn!(task = %self.head.id, %why, "the store refused a step's data; the step fails");
                if kept.is_empty() {
                    return Err(StoreError::Refused(why).into());
                }
                self.reload().await?;
                self.again(kept.into_iter().map(|outcome| spoil(outcome, &why)).collect());
                Ok(None)
            }
        }
    }

    /// Outcomes of a refused run come before those that landed meanwhile.
    fn again(&mut self, mut kept: Vec<Outcome>) {
        kept.append(&mut self.outcomes);
        self.outcomes = kept;
    }

    fn landed(&mut self, (step, outcome): Flight) {
        self.flying.remove(&step);
        let metrics = &self.shared.metrics;
        let timed = |kind: &str, ms: u64| {
            count(&metrics.steps, kind, 1);
            metrics.step_seconds.get_or_create(&Kind { kind: kind.to_owned() }).observe(ms as f64 / 1000.0);
        };
        match &outcome {
            Outcome::Model(model) => {
                timed("model", model.took_ms);
                count(&metrics.tokens, "input", model.spend.usage.input_tokens);
                count(&metrics.tokens, "output", model.spend.usage.output_tokens);
            }
            Outcome::Tool { outcome, .. } => timed("tool", outcome.took_ms),
            Outcome::Child(_) => {}
        }
        self.outcomes.push(outcome);
    }

    /// Starts what is wanted and not yet in flight.
    fn start(&mut self, effects: Vec<Effect>) {
        if self.shared.drain.is_cancelled() {
            return;
        }
        for effect in effects {
            let step = effect.step();
            if self.flying.contains(&step) {
                continue;
            }
            match effect {
                Effect::Model { turn } => self.start_model(turn),
                Effect::Tool { step, tool, attempt } => self.start_tool(step, tool, attempt),
                Effect::Child { step, agent } => self.start_look_up(step, agent),
            }
        }
    }

    fn call_context(&self, step: StepId, first_attempt: u32) -> CallContext {
        let lease = self.shared.lease.clone();
        CallContext {
            tenant: self.head.tenant,
            task: self.head.id,
            step,
            epoch: self.epoch,
            first_attempt,
            depth: self.head.depth,
            traceparent: self.head.traceparent.clone(),
            may_send: Arc::new(move || lease.may_send()),
        }
    }

    fn announce(&self, step: StepId, name: &str) {
        if self.shared.broker.has_readers(self.head.id) {
            let event = Live::Started { step, name: name.to_owned(), epoch: self.epoch };
            self.shared.broker.publish(self.head.id, event);
        }
    }

    fn start_model(&mut self, turn: u32) {
        let step = StepId::model(turn);
        let model = self.agent.version().spec.model.as_ref().map_or("", |m| m.name.as_str());
        self.announce(step, model);
        let now = self.shared.clock.now();
        let deadline = self.head.deadline_at.map(|at| {
            tokio::time::Instant::now() + Duration::from_millis(at.saturating_sub(now).max(0).unsigned_abs())
        });
        let outcome = self.shared.performer.model(ModelJob {
            agent: &self.agent,
            task: &self.head,
            state: &self.state,
            turn,
            call: self.call_context(step, 1),
            deadline,
            sink: TokenSinkOf {
                broker: self.shared.broker.clone(),
                task: self.head.id,
                step,
                epoch: self.epoch,
            },
        });
        self.flying.insert(step);
        self.flights.push(outcome.map(move |outcome| (step, Outcome::Model(outcome))).boxed());
    }

    fn start_tool(&mut self, step: StepId, tool: usize, attempt: u32) {
        let Some((_, written, arguments)) = self.state.call(step) else { return };
        let once = self.agent.tool(tool).is_some_and(|t| t.effect == spec::Effect::Once);
        if once && !self.sent.insert((step, attempt)) {
            let reason = "its result was lost in this worker".to_owned();
            let result = ToolResult::Uncertain { reason };
            let outcome = ToolOutcome { step, result, attempts: 1, took_ms: 0 };
            self.outcomes.push(Outcome::Tool { attempt, outcome });
            return;
        }
        self.announce(step, &written.name);
        let job = ToolJob {
            agent: self.agent.clone(),
            tool,
            arguments: arguments.clone(),
            call: self.call_context(step, attempt),
        };
        let outcome = self.shared.performer.tool(job);
        let flight = outcome.map(move |outcome| (step, Outcome::Tool { attempt, outcome })).boxed();
        self.flying.insert(step);
        if once { self.once_flights.push(flight) } else { self.flights.push(flight) }
    }

    fn start_look_up(&mut self, step: StepId, agent: String) {
        let (store, tenant) = (self.shared.store.clone(), self.head.tenant);
        let flight = async move {
            let found = loop {
                match store.agent(tenant, AgentSelector::from(agent.as_str()), None).await {
                    Ok(Some(version)) => break Ok((version.id, version.version)),
                    Ok(None) => break Err(format!("there is no agent `{agent}`")),
                    Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(250)).await,
                    Err(error) => break Err(error.to_string()),
                }
            };
            (step, Outcome::Child(ChildOutcome { step, agent: found }))
        };
        self.flying.insert(step);
        self.flights.push(flight.boxed());
    }

    /// Waits until there is something to plan with; `Some`: the driver is done.
    async fn until_news(&mut self) -> Result<Option<Finish>, DriveError> {
        let draining = self.shared.drain.is_cancelled();
        let drained = self.shared.drained.is_cancelled();
        if drained {
            // What was cut off is repeated by the next owner; only `once` calls are given their own time.
            self.flights = FuturesUnordered::new();
        }
        if draining && self.flights.is_empty() && self.once_flights.is_empty() {
            return Ok(Some(Finish::Release));
        }
        let now = self.shared.clock.now();
        let due = [self.state.next_due(), self.head.deadline_at].into_iter().flatten().min();
        let due_in = due.map(|at| Duration::from_millis(at.saturating_sub(now).max(1).unsigned_abs()));
        let timer = async {
            match due_in {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let slot = self.slot.clone();
        tokio::select! {
            Some(flight) = self.flights.next(), if !self.flights.is_empty() => {
                self.landed(flight);
                self.take_landed();
            }
            Some(flight) = self.once_flights.next(), if !self.once_flights.is_empty() => {
                self.landed(flight);
                self.take_landed();
            }
            () = slot.news.notified() => return self.heard().await,
            () = timer => {}
            () = self.shared.lease.dead.cancelled() => return Ok(Some(Finish::Lost)),
            () = self.shared.now.cancelled() => return Ok(Some(Finish::Release)),
            () = self.shared.drain.cancelled(), if !draining => {}
            () = self.shared.drained.cancelled(), if !drained => {}
        }
        Ok(None)
    }

    /// What has landed by now goes into the same run.
    fn take_landed(&mut self) {
        while let Some(Some(flight)) = self.flights.next().now_or_never() {
            self.landed(flight);
        }
        while let Some(Some(flight)) = self.once_flights.next().now_or_never() {
            self.landed(flight);
        }
    }

    async fn heard(&mut self) -> Result<Option<Finish>, DriveError> {
        if self.slot.ended.swap(false, Ordering::AcqRel) {
            let seqs = self.shared.store.last_seqs(vec![self.head.id]).await;
            if matches!(seqs.as_deref(), Ok([(_, _, status)]) if status.is_terminal()) {
                return Ok(Some(Finish::Settled));
            }
        }
        if self.slot.inbox.swap(false, Ordering::AcqRel) {
            self.read_inbox().await?;
        }
        Ok(None)
    }

    async fn reload(&mut self) -> Result<(), DriveError> {
        const PAGE: u32 = 1000;
        let mut state = State::new(&self.agent, &self.head);
        loop {
            let after = state.next_seq() - 1;
            let store = &self.shared.store;
            let page = match store.read_journal(self.head.tenant, self.head.id, after, PAGE).await {
                Err(StoreError::Unavailable(why)) => {
                    tracing::warn!(%why, task = %self.head.id, "a journal could not be read; trying again");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    continue;
                }
                page => page?,
            };
            for recorded in &page {
                state.apply(&self.agent, recorded)?;
            }
            if page.len() < PAGE as usize {
                // Their times are the store's own: nothing is left to be confirmed.
                state.confirm(state.last_at());
                self.state = state;
                return Ok(());
            }
        }
    }

    async fn read_inbox(&mut self) -> Result<(), DriveError> {
        loop {
            let after = self.inbox.last().map_or(0, |m| m.id);
            match self.shared.store.inbox(self.head.id, after).await {
                Ok(more) => {
                    self.inbox.extend(more);
                    return Ok(());
                }
                Err(StoreError::Unavailable(why)) => {
                    tracing::warn!(%why, task = %self.head.id, "an inbox could not be read; trying again");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets `once` calls that are still open come to their end, and keeps what they say, and what those said that
    /// landed too late, for people.
    fn keep_late_results(&mut self) {
        let mut open = std::mem::take(&mut self.once_flights);
        let landed: Vec<ToolOutcome> = std::mem::take(&mut self.outcomes)
            .into_iter()
            .filter_map(|outcome| match outcome {
                Outcome::Tool { attempt, outcome } if self.sent.contains(&(outcome.step, attempt)) => {
                    Some(outcome)
                }
                _ => None,
            })
            .collect();
        if (open.is_empty() && landed.is_empty()) || self.shared.now.is_cancelled() {
            return;
        }
        let (store, task, epoch) = (self.shared.store.clone(), self.head.id, self.epoch);
        tokio::spawn(async move {
            for outcome in landed {
                keep(store.as_ref(), task, epoch, outcome).await;
            }
            while let Some((_, outcome)) = open.next().await {
                if let Outcome::Tool { outcome, .. } = outcome {
                    keep(store.as_ref(), task, epoch, outcome).await;
                }
            }
        });
    }
}

async fn keep(store: &dyn Store, task: TaskId, epoch: u32, outcome: ToolOutcome) {
    if let Err(error) = store.keep_late_result(task, epoch, outcome).await {
        tracing::error!(%task, %error, "a late result of a `once` call could not be kept");
    }
}

/// The outcome of a step whose data cannot be stored.
fn spoil(outcome: Outcome, why: &str) -> Outcome {
    match outcome {
        Outcome::Model(mut model) => {
            model.result =
                Err(TaskError::new(codes::MODEL_GARBAGE, format!("the answer cannot be stored: {why}")));
            Outcome::Model(model)
        }
        Outcome::Tool { attempt, mut outcome } => {
            outcome.result = ToolResult::error("unstorable", format!("the result cannot be stored: {why}"));
            Outcome::Tool { attempt, outcome }
        }
        child @ Outcome::Child(_) => child,
    }
}
