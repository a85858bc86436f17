//! Tasks that a worker holds without knowing it: the answer to a claim was lost on its way, or a release never arrived.
//! Nobody takes a task from a live worker, so it has to look for them itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agenticai_domain::ids::TaskId;
use tokio_util::sync::CancellationToken;

use crate::drive::Shared;

/// Between two looks while there is doubt.
const LOOK: Duration = Duration::from_secs(1);
/// How long a statement whose answer was lost may still be under way.
const DOUBT_LASTS: Duration = Duration::from_secs(120);
/// Without any doubt it looks this often: a network may deliver later than anybody waits.
const ALWAYS: Duration = Duration::from_secs(60);

/// Whether the worker's picture of what it holds may be wrong.
#[derive(Debug, Default)]
pub struct Doubt {
    raised: Mutex<Option<Instant>>,
    claiming: tokio::sync::Mutex<()>,
}

impl Doubt {
    /// The store did not say what came of a claim or a release.
    pub fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Held from the begin of a claim until what it gave is known: what is being claimed is not forgotten.
    pub async fn claiming(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.claiming.lock().await
    }

    fn lasts(&self) -> bool {
        let raised = *self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.is_some_and(|at| at.elapsed() < DOUBT_LASTS)
    }
}

/// Hands back what the worker holds and does not `know` of, again and again.
pub async fn hand_back(shared: Arc<Shared>, known: impl Fn(&TaskId) -> bool, stop: CancellationToken) {
    let mut looked = Instant::now();
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        if !shared.doubt.lasts() && looked.elapsed() < ALWAYS {
            continue;
        }
        looked = Instant::now();
        let _claiming = shared.doubt.claiming().await;
        let Ok(mut tasks) = shared.store.held(shared.lease.worker).await else { continue };
        tasks.retain(|task| !known(task));
        if tasks.is_empty() {
            continue;
        }
        let count = tasks.len();
        match shared.store.release(shared.lease.worker, tasks).await {
            Ok(()) => {
                tracing::warn!(count, "tasks are handed back of which this worker had not heard");
                shared.broker.hint();
            }
            Err(error) => tracing::warn!(count, %error, "tasks cannot be handed back; trying again"),
        }
    }
}
