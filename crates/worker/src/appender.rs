//! Group commit on the worker's side: whatever arrived while the last commit ran goes into the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};

use agenticai_store::{Append, AppendOutcome, Store, StoreError};

use crate::lease::Lease;
use crate::metrics::WorkerMetrics;
use crate::quiet::warn_seldom;

/// Runs in one batch at most: it bounds the latency of a commit.
const BATCH: usize = 512;
/// Batches under way at once. Two, so that one is prepared while the other is flushed.
const IN_FLIGHT: usize = 2;

type Reply = oneshot::Sender<Result<AppendOutcome, StoreError>>;

/// Where drivers hand in their runs.
#[derive(Clone)]
pub struct Appender(mpsc::UnboundedSender<(Append, Reply)>);

impl Appender {
    /// Starts appending under a lease; ends when the last clone is dropped.
    pub fn start(store: Arc<dyn Store>, lease: Arc<Lease>, metrics: Arc<WorkerMetrics>) -> Self {
        let (to, mut from) = mpsc::unbounded_channel::<(Append, Reply)>();
        let gate = Arc::new(Semaphore::new(IN_FLIGHT));
        tokio::spawn(async move {
            let mut batch = Vec::new();
            loop {
                let Ok(permit) = gate.clone().acquire_owned().await else { return };
                if from.recv_many(&mut batch, BATCH).await == 0 {
                    return;
                }
                let (runs, replies): (Vec<Append>, Vec<Reply>) = batch.drain(..).unzip();
                metrics.append_batch.observe(runs.len() as f64);
                let (store, lease) = (store.clone(), lease.clone());
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    let outcomes = commit(store.as_ref(), &lease, runs).await;
                    drop(permit);
                    answer(replies, outcomes, &metrics);
                });
            }
        });
        Self(to)
    }

    /// Commits one run. One task has at most one run under way: the driver waits here.
    pub async fn append(&self, run: Append) -> Result<AppendOutcome, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.send((run, reply)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
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
