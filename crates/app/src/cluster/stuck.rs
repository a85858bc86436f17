//! The scheduler's look for tasks that do not move although they should.

use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use agenticai_store::StoreError;
use agenticai_store::postgres::{PostgresStore, Stuck, StuckReason};

use crate::config::Scheduler;

/// Those that are counted: beyond, a number says no more than that it is large.
const MOST: u32 = 1_000;
/// Those that the log names.
const NAMED: usize = 20;
/// How often the log names tasks of which nothing new is to be said.
const SAY: Duration = Duration::from_secs(600);

/// The reasons of tasks that are looked for and not mended.
const WATCHED: [StuckReason; 2] = [StuckReason::Unclaimed, StuckReason::Silent];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What was found, under `/metrics`.
#[derive(Debug, Clone, Default)]
struct Found {
    stuck: Family<Reason, Gauge>,
    mended: Family<Reason, Counter>,
}

/// Looks again and again, until it is told to stop.
pub struct Watch {
    store: PostgresStore,
    /// How long a task may stand still.
    bound: Duration,
    /// Between two looks.
    pause: Duration,
    found: Found,
    /// Where the next slice of all tasks begins.
    next: i64,
    said: Option<Instant>,
}

impl Watch {
    /// With its metrics registered.
    pub fn new(store: PostgresStore, settings: &Scheduler, registry: &mut Registry) -> Self {
        let found = Found::default();
        registry.register(
            "agenticai_tasks_stuck",
            "Tasks that have not moved for scheduler.stuck_after_seconds, by reason; 1,000 at most",
            found.stuck.clone(),
        );
        registry.register(
            "agenticai_tasks_mended",
            "Tasks that no worker could have come to and that were made ready, by reason",
            found.mended.clone(),
        );
        for reason in WATCHED {
            // One that is 0 is shown as well.
            drop(found.stuck.get_or_create(&Reason { reason: reason.as_str() }));
        }
        let (bound, pause) = (settings.stuck_after, settings.stuck_check);
        Self { store, bound, pause, found, next: 0, said: None }
    }

    /// Looks until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let Some(looked) = stop.run_until_cancelled(self.look()).await else { return };
            if let Err(error) = looked {
                tracing::warn!(%error, "tasks that are stuck cannot be looked for");
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.pause)).await.is_none() {
                return;
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let stuck = self.store.stuck(self.bound, MOST).await?;
        for reason in WATCHED {
            let count = stuck.iter().filter(|stuck| stuck.reason == reason).count();
            let gauge = self.found.stuck.get_or_create(&Reason { reason: reason.as_str() }).clone();
            let more = count > usize::try_from(gauge.get()).unwrap_or(0);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            if count > 0 && (more || self.said.is_none_or(|said| said.elapsed() >= SAY)) {
                self.said = Some(Instant::now());
                let tasks = names(&stuck, reason);
                tracing::warn!(reason = reason.as_str(), count, %tasks, "tasks have not moved for long");
            }
        }
        let (mended, next) = self.store.mend(self.next).await?;
        self.next = next;
        for task in mended {
            let reason = task.reason.as_str();
            self.found.mended.get_or_create(&Reason { reason }).inc();
            tracing::error!(task = %task.task, reason, "a task was stuck for good; it was made ready");
        }
        Ok(())
    }
}

fn names(stuck: &[Stuck], reason: StuckReason) -> String {
    let ids = stuck.iter().filter(|stuck| stuck.reason == reason).take(NAMED);
    ids.map(|stuck| stuck.task.to_string()).collect::<Vec<_>>().join(" ")
}
