//! Driving one task: plan, append, perform, until it waits, ends, or is somebody else's.

mod commit;
mod flights;
mod news;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use agenticai_broker::Broker;
use agenticai_domain::engine::{Agent, Context, ReplayError, State, plan};
use agenticai_domain::ids::StepId;
use agenticai_domain::inbox::InboxMessage;
use agenticai_domain::outcome::Outcome;
use agenticai_domain::task::TaskHead;
use agenticai_store::{Claimed, Store, StoreError};

use crate::agents::{AgentCache, AgentError};
use crate::appender::Appender;
use crate::budgets::{Bill, Customer, Purse, Tab};
use crate::clock::Clock;
use crate::forgotten::Doubt;
use crate::lease::Lease;
use crate::metrics::WorkerMetrics;
use crate::perform::Performer;

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
    pub purse: Arc<Purse>,
    /// Whether the store may have given more than this process knows of.
    pub doubt: Doubt,
    /// Tasks are suspected of crashing workers; one that has committed a step no longer is, and is handed back.
    pub suspects: bool,
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
    in_thread: bool,
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
    /// The store has refused the data of the newest run: what came of its steps was replaced by errors.
    spoiled: bool,
    /// It was suspected of crashing its worker, and has committed a step.
    cleared: bool,
    /// Who pays for model calls, where budgets do; it is known from the first one on.
    customer: Option<Arc<Customer>>,
    /// Whether the task's tenant had budgets when it was claimed.
    budgeted: bool,
    /// The model call in flight.
    tab: Option<(u32, Arc<Tab>)>,
    /// Of model calls whose entries are not committed yet.
    bills: Vec<Bill>,
}

impl Driver {
    /// Reads what is needed to go on with a claimed task.
    pub async fn open(shared: Arc<Shared>, slot: Arc<Slot>, claimed: Claimed) -> Result<Self, DriveError> {
        let Claimed { head, epoch, last_seq, inbox_seq, in_thread, budgeted } = claimed;
        let agent = match shared.agents.get(shared.store.as_ref(), &head).await {
            Ok(agent) => agent,
            Err(AgentError::Store(error)) => return Err(error.into()),
            Err(AgentError::Unusable(why)) => return Err(DriveError::Agent(why)),
        };
        let state = State::new(&agent, &head);
        let mut driver = Self {
            shared,
            slot,
            head,
            in_thread,
            epoch,
            agent,
            state,
            inbox: Vec::new(),
            outcomes: Vec::new(),
            flights: FuturesUnordered::new(),
            once_flights: FuturesUnordered::new(),
            flying: HashSet::new(),
            sent: HashSet::new(),
            spoiled: false,
            cleared: false,
            customer: None,
            budgeted,
            tab: None,
            bills: Vec::new(),
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
    pub async fn run(&mut self) -> Result<Finish, DriveError> {
        let result = self.advance().await;
        self.keep_late_results();
        result
    }

    /// Whether nothing new is begun, and the task is handed back when nothing is in flight.
    fn draining(&self) -> bool {
        self.cleared || self.shared.drain.is_cancelled()
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
}
