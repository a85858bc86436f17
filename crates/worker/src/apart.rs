//! Tasks that crash their worker: tried again apart, and failed if they crash alone.
//!
//! A task that was in the hands of a worker that crashed twice, without a step committed in between, is a suspect: it,
//! or one of its neighbours, may have crashed it. Suspects are given to nobody but processes that are started for them:
//! many at once, then few, then one ([`Isolation`]). Each is handed back once it has committed a step. If a process that
//! holds one alone is seen to crash, its task is poison and fails; its neighbours never do.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use agenticai_broker::{Broker, DeadLetter, Poke};
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::task::{End, TaskError, codes};
use agenticai_domain::usage::Spend;
use agenticai_store::{EndOutcome, Isolation, Store, StoreError};

use crate::quiet::warn_seldom;

/// How often suspects are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Starts processes that take suspects.
#[async_trait]
pub trait Apart: Send + Sync + 'static {
    /// Runs a process that takes suspects, as many at once as `isolation` says, until there are none. If it crashed,
    /// answers the name under which it was a worker.
    async fn run(&self, isolation: Isolation) -> Result<Option<String>, String>;
}

/// Fails what is poison, and has suspects tried where this worker can.
pub async fn watch(
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    apart: Option<Arc<dyn Apart>>,
    stop: CancellationToken,
) {
    // One process of each kind: those that are tried alone do not wait for the long steps of others.
    let busy = Arc::new(Mutex::new(HashSet::new()));
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let suspects = match store.suspects().await {
            Ok(suspects) => suspects,
            Err(error) => {
                warn_seldom!(%error, "tasks that crash workers cannot be looked for");
                continue;
            }
        };
        for (tenant, task) in suspects.poison {
            if let Err(error) = fail(store.as_ref(), broker.as_ref(), tenant, task).await {
                tracing::warn!(%task, %error, "a poison task cannot be failed; trying again");
            }
        }
        let Some(apart) = &apart else { continue };
        for (isolation, tasks) in suspects.ready {
            if !lock(&busy).insert(isolation) {
                continue;
            }
            let how = isolation.as_str();
            tracing::warn!(
                tasks,
                how,
                "tasks whose workers crashed twice are tried in a process of their own"
            );
            let (store, apart, busy, stop) = (store.clone(), apart.clone(), busy.clone(), stop.clone());
            tokio::spawn(async move {
                stop.run_until_cancelled(try_apart(store.as_ref(), apart.as_ref(), isolation)).await;
                lock(&busy).remove(&isolation);
            });
        }
    }
}

fn lock(busy: &Mutex<HashSet<Isolation>>) -> MutexGuard<'_, HashSet<Isolation>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one process, and stores how it ended.
async fn try_apart(store: &dyn Store, apart: &dyn Apart, isolation: Isolation) {
    let how = isolation.as_str();
    match apart.run(isolation).await {
        Ok(None) => {}
        Ok(Some(name)) => {
            tracing::error!(worker = %name, how, "a process that was tried with suspects has crashed");
            if let Err(error) = store.crashed(name, isolation).await {
                tracing::warn!(%error, "that cannot be stored; the tasks are tried again");
            }
        }
        Err(why) => tracing::error!(%why, "no process can be started for tasks that crash workers"),
    }
}

async fn fail(
    store: &dyn Store,
    broker: &dyn Broker,
    tenant: TenantId,
    task: TaskId,
) -> Result<(), StoreError> {
    let Some((_, last_seq, _)) = store.last_seqs(vec![task]).await?.first().copied() else { return Ok(()) };
    let why = "its worker crashed each time that it ran, the last time with nothing else in hand";
    let end = End::Failed { error: TaskError::new(codes::POISON, why) };
    let spend = store.task(tenant, task).await?.map_or(Spend::default(), |row| row.spend);
    if store.end_task(tenant, task, last_seq + 1, end, spend).await? == EndOutcome::Ended {
        tracing::error!(%task, %tenant, code = codes::POISON, "a task has failed because it crashes workers");
        broker.poke(Poke::Ended(task));
        let at = store.now().await?;
        broker.dead(DeadLetter { task, tenant, code: codes::POISON.to_owned(), at });
    }
    Ok(())
}
