//! Group commit on the worker's side: whatever arrived while the last commit ran goes into the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use agenticai_store::{Append, AppendOutcome, Store, StoreError};

use crate::lease::Lease;
use crate::metrics::WorkerMetrics;
use crate::quiet::warn_seldom;

type Reply = oneshot::Sender<Result<AppendOutcome, StoreError>>;

/// Where drivers hand in their runs.
#[derive(Clone)]
pub struct Appender(mpsc::UnboundedSender<(Append, Reply)>);

impl Appender {
    /// Starts appending under a lease; ends when the last clone is dropped. One batch, of `most` runs at most, is under
    /// way at a time: a second one would hold half as many and lock the same rows.
    pub fn start(store: Arc<dyn Store>, lease: Arc<Lease>, metrics: Arc<WorkerMetrics>, most: usize) -> Self {
        let (to, mut from) = mpsc::unbounded_channel::<(Append, Reply)>();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while from.recv_many(&mut batch, most).await > 0 {
                let (runs, replies): (Vec<Append>, Vec<Reply>) = batch.drain(..).unzip();
                metrics.append_batch.observe(runs.len() as f64);
                let outcomes = commit(store.as_ref(), &lease, runs).await;
                answer(replies, outcomes, &metrics);
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
