//! Workers, their leases, and who advances which task.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::task::TaskHead;

use crate::Result;

/// One incarnation of a worker process. A process that was declared dead registers anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub i64);

/// What a worker says of itself.
#[derive(Debug, Clone)]
pub struct WorkerInfo {
    /// For people: host and process.
    pub name: String,
    /// The newest journal format that it reads; it is given no task with a newer one.
    pub reads_format: u8,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// Still alive.
    Alive {
        /// The store's clock, milliseconds since 1970.
        now: i64,
    },
    /// Declared dead: drop everything and register anew.
    Dead,
    /// The store knows less of this worker than it has told it before: it was restored to an earlier point. It gives no
    /// tasks to anybody until that is declared ([`Maintenance::declare_restored`](crate::Maintenance)). Drop everything
    /// and end.
    WentBack {
        /// For people: how it was noticed and what to do.
        why: String,
    },
}

/// Another worker's heartbeat counter as seen by an observer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Whose.
    pub worker: WorkerId,
    /// It moves with every beat.
    pub beats: i64,
    /// It has been silent for a while, and the store has seen its session end: its process is dead, or cut off. `false`
    /// where that is not known.
    pub parted: bool,
}

/// The ready tasks of one priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyClass {
    /// Which.
    pub priority: u8,
    /// How many, of all tenants.
    pub tasks: u64,
    /// Age of the oldest in milliseconds.
    pub oldest_ms: u64,
}

/// What a worker asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Tasks at most.
    pub limit: u32,
    /// How many tasks of which tenants it holds: whoever has the fewest comes first. A store of one machine may leave
    /// this and `sated` alone.
    pub busy: Vec<(TenantId, u32)>,
    /// Tenants that are given nothing this time.
    pub sated: Vec<TenantId>,
    /// Only tasks that are suspected of crashing workers and are to be tried in this company. Nobody is given them
    /// otherwise.
    pub suspects: Option<Isolation>,
}

impl From<u32> for Wanted {
    fn from(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }
}

/// In whose company a suspect is tried. A worker that dies with a thousand tasks leaves a thousand suspects, of which one
/// may be guilty: tried many at once, all but those that share a process with it are cleared by their next step; these
/// come in smaller groups, and at last alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// With many other suspects.
    Together,
    /// With a few.
    Few,
    /// With nobody: whatever crashes that process is guilty.
    #[default]
    Alone,
}

impl Isolation {
    /// Each, in the order in which a suspect comes to them.
    pub const ALL: [Self; 3] = [Self::Together, Self::Few, Self::Alone];

    /// How many suspects a process holds at once.
    pub const fn at_once(self) -> usize {
        match self {
            Self::Together => 256,
            Self::Few => 16,
            Self::Alone => 1,
        }
    }

    /// The numbers of crashes of the suspects that are tried like this, from and to. Two each: a crash that nobody saw
    /// may have been that of a machine.
    pub(crate) const fn crashes(self) -> (i16, i16) {
        match self {
            Self::Together => (2, 3),
            Self::Few => (4, 5),
            Self::Alone => (6, POISON - 1),
        }
    }

    /// The number of crashes of the suspects that a process held when it was seen to crash, before that crash is counted.
    pub(crate) const fn seen_crashing(self) -> i16 {
        match self {
            Self::Alone => POISON,
            _ => self.crashes().1,
        }
    }

    /// What suspects with this number of crashes are tried like; `None`: they are poison.
    pub(crate) fn of(crashes: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|isolation| crashes <= isolation.crashes().1)
    }

    /// Its name, by which it is read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Few => "few",
            Self::Alone => "alone",
        }
    }
}

/// The number of crashes of a task that was seen to crash a process which held nothing else.
pub(crate) const POISON: i16 = 1000;

/// Tasks that were in the hands of workers that crashed, twice or more without a committed step in between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspects {
    /// How many wait to be tried, and how; what nobody waits for is left out.
    pub ready: BTreeMap<Isolation, u64>,
    /// Those that have crashed a worker which had nothing else in hand: they are poison, and wait to be failed.
    pub poison: Vec<(TenantId, TaskId)>,
}

/// A task that was given to a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// What never changes.
    pub head: TaskHead,
    /// The epoch under which the worker holds it.
    pub epoch: u32,
    /// Seq of the newest entry.
    pub last_seq: u64,
    /// Number of messages in its inbox.
    pub inbox_seq: u64,
    /// Whether it belongs to a thread, whose next task is ready once it has ended.
    pub in_thread: bool,
    /// Whether its tenant has budgets.
    pub budgeted: bool,
}

/// Leases and claims.
#[async_trait]
pub trait Leases {
    /// Registers one incarnation.
    async fn register_worker(&self, info: WorkerInfo) -> Result<WorkerId>;
    /// Moves the worker's counter. Never waits for appends.
    async fn beat(&self, worker: WorkerId) -> Result<Beat>;
    /// Counters of all workers that are not dead.
    async fn observe_workers(&self) -> Result<Vec<Observed>>;
    /// Declares a worker dead if its counter is still `beats`; final. `false` where it has moved or was dead.
    async fn mark_dead(&self, worker: WorkerId, beats: i64) -> Result<bool>;
    /// Makes the tasks of dead workers ready with their epoch raised, once no append of theirs can commit any more.
    /// At most `limit`; answers how many.
    async fn take_over(&self, limit: u32) -> Result<u32>;
    /// Gives ready tasks to a live worker, most urgent first, each under a higher epoch than any before. Empty where the
    /// worker is dead. Let the call end: a worker that drops it may own tasks that it never hears of.
    async fn claim(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>>;
    /// The suspects. A store whose workers all share one process has none: there is nobody to set them apart.
    async fn suspects(&self) -> Result<Suspects>;
    /// Declares the live workers of a name dead that were seen to crash with suspects in hand: they are tried in less
    /// company from then on; one that was alone is poison. Nothing where there are none.
    async fn crashed(&self, name: String, isolation: Isolation) -> Result<()>;
    /// Every task that the worker holds. A claim or a release whose answer was lost makes it more than the worker knows.
    async fn held(&self, worker: WorkerId) -> Result<Vec<TaskId>>;
    /// Hands tasks back: ready again, their epoch raised.
    async fn release(&self, worker: WorkerId, tasks: Vec<TaskId>) -> Result<()>;
    /// Ends an incarnation that holds nothing any more.
    async fn retire_worker(&self, worker: WorkerId) -> Result<()>;
    /// Makes up to `limit` waiting tasks ready whose time has come; answers how many.
    async fn wake_due(&self, limit: u32) -> Result<u32>;
    /// Milliseconds until the next waiting task is due, if there is one; 0 where it is overdue.
    async fn next_due_in(&self) -> Result<Option<u64>>;
    /// What is ready, by priority; priorities without ready tasks are left out.
    async fn ready_by_priority(&self) -> Result<Vec<ReadyClass>>;
    /// Ready tasks, and the age of the oldest in milliseconds.
    async fn backlog(&self) -> Result<(u64, u64)> {
        let classes = self.ready_by_priority().await?;
        let oldest = classes.iter().map(|class| class.oldest_ms).max().unwrap_or(0);
        Ok((classes.iter().map(|class| class.tasks).sum(), oldest))
    }
    /// The store's clock: milliseconds since 1970; never goes back.
    async fn now(&self) -> Result<i64>;
}
