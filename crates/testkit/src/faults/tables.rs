//! Reading the tables of a cluster's database: where each task is at one moment.

use agenticai_domain::ids::{TaskId, ThreadId};
use agenticai_domain::inbox::InboxBody;
use agenticai_domain::journal::Entry;
use agenticai_domain::task::{WaitKind, WaitingFor};
use agenticai_store::Journal as _;
use agenticai_store::postgres::{PostgresOptions, PostgresStore};
use anyhow::Context as _;
use uuid::Uuid;

use crate::api::Api;
use crate::checker::{Owner, Place, Snapshot, ThreadPlace};
use crate::cluster::Cluster;

/// One statement has one snapshot.
const PLACES: &str = "
    SELECT t.id, t.status, t.wake_at, t.waiting_for IS NOT NULL,
           EXISTS (SELECT FROM ready r WHERE r.task = t.num),
           h.id IS NOT NULL, w.state,
           (SELECT count(*) FROM ready r WHERE NOT EXISTS (SELECT FROM tasks o WHERE o.num = r.task))
           + (SELECT count(*) FROM held o WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = o.id AND t.num = o.task)),
           clock_ms(0),
           th.id, th.active IS NOT DISTINCT FROM t.num, cardinality(array_positions(th.queue, t.num)),
           t.num = ANY (th.superseded)
    FROM tasks t LEFT JOIN held h ON h.task = t.num LEFT JOIN workers w ON w.id = h.worker
         LEFT JOIN threads th ON th.num = t.thread";

/// Reads where every task is.
pub async fn snapshot(cluster: &Cluster, at_rest: bool) -> anyhow::Result<Snapshot> {
    let rows = cluster.connect().await?.query(PLACES, &[]).await?;
    let mut snapshot = Snapshot { at_rest, ..Snapshot::default() };
    for row in rows {
        let (id, status): (Uuid, i16) = (row.try_get(0)?, row.try_get(1)?);
        let (held, state): (bool, Option<i16>) = (row.try_get(5)?, row.try_get(6)?);
        let owner = held.then_some(match state {
            Some(0) => Owner::Live,
            Some(1) => Owner::Dead,
            _ => Owner::Gone,
        });
        let described: bool = row.try_get(3)?;
        snapshot.places.push(Place {
            task: TaskId(id),
            ended: status > 2,
            // Who waits says for what; who says so without waiting is found in two places.
            waits: status == 2 || described,
            ready: row.try_get(4)?,
            owner,
            thread: thread_place(&row)?,
            wake_at: row.try_get(2)?,
            unheard: Vec::new(),
        });
        snapshot.strays = usize::try_from(row.try_get::<_, i64>(7)?)?;
        snapshot.now = row.try_get(8)?;
    }
    Ok(snapshot)
}

fn thread_place(row: &tokio_postgres::Row) -> anyhow::Result<Option<ThreadPlace>> {
    let Some(thread) = row.try_get::<_, Option<Uuid>>(9)? else { return Ok(None) };
    Ok(Some(ThreadPlace {
        thread: ThreadId(thread),
        active: row.try_get(10)?,
        queued: usize::try_from(row.try_get::<_, i32>(11)?)?,
        superseded: row.try_get(12)?,
    }))
}

/// Adds to a snapshot of the rest which signals came that a task waits for all the same.
pub async fn listen(cluster: &Cluster, api: &Api, snapshot: &mut Snapshot) -> anyhow::Result<()> {
    if snapshot.places.iter().all(|place| !place.waits) {
        return Ok(());
    }
    let store =
        PostgresStore::connect(PostgresOptions::new(cluster.url())).await.context("reading inboxes")?;
    for place in snapshot.places.iter_mut().filter(|place| place.waits) {
        let journal = api.journal(place.task).await?;
        let heard: Vec<u64> = (journal.iter())
            .filter_map(|recorded| match &recorded.entry {
                Entry::Received(received) => Some(received.message.id),
                _ => None,
            })
            .collect();
        let waits = api.task(place.task).await?.waiting_for;
        for message in store.inbox(place.task, 0).await? {
            if let InboxBody::Signal { name, .. } = &message.body
                && !heard.contains(&message.id)
                && waits.iter().any(|wait| is_for(wait, name))
            {
                place.unheard.push(name.clone());
            }
        }
    }
    store.close();
    Ok(())
}

fn is_for(wait: &WaitingFor, name: &str) -> bool {
    wait.kind == WaitKind::Signal && wait.arguments["name"] == name
}
