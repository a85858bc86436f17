//! Group commit on the worker's side: whatever arrived while the last commit ran goes into the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use agenticai_store::{Append, AppendOutcome, Store, StoreError};

use crate::lease::Lease;
use crate::metrics::WorkerMetrics;
use crate::quiet::warn_seldom;

type Reply = oneshot::Sender<Result<AppendOutcome, StoreError>>;

/// Where drivers hand in their runs.
#[derive(Clone)]
pub struct Appender {
    lane: mpsc::UnboundedSender<(Append, Reply)>,
    backlog: Arc<Backlog>,
}

/// The runs that were handed in and are not answered.
struct Backlog {
    runs: AtomicUsize,
    /// Runs in one batch at most.
    most: usize,
    fewer: Notify,
    metrics: Arc<WorkerMetrics>,
}

impl Backlog {
    fn grows(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.metrics.append_backlog.inc();
    }

    fn shrinks(&self, runs: usize) {
        self.runs.fetch_sub(runs, Ordering::Relaxed);
        self.metrics.append_backlog.dec_by(runs as i64);
        self.fewer.notify_one();
    }
}

impl Appender {
    /// Starts appending under a lease; ends when the last clone is dropped. One batch, of `most` runs at most, is under
    /// way at a time: a second one would hold half as many and lock the same rows.
    pub fn start(store: Arc<dyn Store>, lease: Arc<Lease>, metrics: Arc<WorkerMetrics>, most: usize) -> Self {
        let (lane, mut from) = mpsc::unbounded_channel::<(Append, Reply)>();
        let (runs, fewer) = (AtomicUsize::default(), Notify::new());
        let backlog = Arc::new(Backlog { runs, most, fewer, metrics: metrics.clone() });
        let answered = backlog.clone();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while from.recv_many(&mut batch, most).await > 0 {
                let (runs, replies): (Vec<Append>, Vec<Reply>) = batch.drain(..).unzip();
                metrics.append_batch.observe(runs.len() as f64);
                let outcomes = commit(store.as_ref(), &lease, runs).await;
                answered.shrinks(replies.len());
                answer(replies, outcomes, &metrics);
            }
        });
        Self { lane, backlog }
    }

    /// Commits one run. One task has at most one run under way: the driver waits here. The run is handed in at once, so
    /// that a driver has no room for it while it waits.
    pub fn append(&self, run: Append) -> impl Future<Output = Result<AppendOutcome, StoreError>> + use<> {
        let (reply, answer) = oneshot::channel();
        self.backlog.grows();
        // Where nobody receives it, the reply is dropped with it.
        let _ = self.lane.send((run, reply));
        async move { answer.await.map_err(|_| StoreError::Closed)? }
    }

    /// How many runs more the lane takes before the worker is behind: then one batch is being committed and another waits,
    /// and more tasks would only make all of them wait for longer.
    pub fn room(&self) -> usize {
        (2 * self.backlog.most).saturating_sub(self.backlog.runs.load(Ordering::Relaxed))
    }

    /// Returns when there is room for more tasks, for half a batch at least: tasks are claimed by the batch and not one by
    /// one. One caller at a time is woken.
    pub async fn roomy(&self) {
        while self.room() < self.backlog.most.div_ceil(2) {
            // It keeps a word that was given meanwhile.
            self.backlog.fewer.notified().await;
        }
    }
}

/// An unknown outcome is sent again, the same batch with the same run ids, until it is accepted or classified. No
/// read decides before that: what a read does not show may still be on its way.
async fn commit(
    store: &dyn Store,
    lease: &Lease,
    runs: Vec<Append>,
) -> Result<Vec<AppendOutcome>, StoreError> {
    let mut pause = Duration::from_millis(50);
    loop {
        match store.append(lease.worker, runs.clone()).await {
            Err(StoreError::Unavailable(why)) => {
                warn_seldom!(%why, runs = runs.len(), "an append had no answer; it is sent again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            decided => return decided,
        }
    }
}

fn answer(replies: Vec<Reply>, outcomes: Result<Vec<AppendOutcome>, StoreError>, metrics: &WorkerMetrics) {
    match outcomes {
        Ok(outcomes) => {
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                metrics.count_append(&outcome);
                // A driver that is gone needs no answer.
                let _ = reply.send(Ok(outcome));
            }
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}
