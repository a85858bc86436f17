//! Firing schedules. One thread writes: what one scheduler has fired, the next one sees.

use rusqlite::{OptionalExtension, Row, params};

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId};
use agenticai_domain::schedule::{Firing, FiringState, MOST_QUEUED, Overlap};

use super::create::{PreparedTask, create_fired};
use super::schedules::Raw;
use super::transaction::Tx;
use super::writer::Lane;
use super::{SqliteStore, maintenance, rows};
use crate::schedules::KEPT_FIRINGS;
use crate::status::{firing_number, firing_of, overlap_number};
use crate::{Fire, FireOutcome, NewFiring, QueuedFiring, Result, StoreError};

const QUEUED: i16 = firing_number(FiringState::Queued);
const REPLACED: i16 = firing_number(FiringState::Replaced);
const REPLACE: i16 = overlap_number(Overlap::Replace);

/// A firing whose task is ready to be written.
struct Prepared {
    id: TaskId,
    due_at: i64,
    task: std::result::Result<PreparedTask, String>,
}

/// What decides about a firing, read in its transaction.
struct Standing {
    num: i64,
    tenant: i64,
    overlap: Overlap,
}

const FIRING: &str = "f.id, f.due_at, f.triggered, f.state, f.why, f.at";

/// A firing from the six columns from `at` on.
fn read_firing(row: &Row<'_>, at: usize) -> rusqlite::Result<Firing> {
    let number: i16 = row.get(at + 3)?;
    Ok(Firing {
        task: TaskId(rows::id(row, at)?),
        due_at: row.get(at + 1)?,
        triggered: row.get(at + 2)?,
        state: firing_of(number)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(at + 3, i64::from(number)))?,
        why: row.get(at + 4)?,
        at: row.get(at + 5)?,
    })
}

impl SqliteStore {
    async fn prepare_firing(&self, firing: NewFiring) -> Result<Prepared> {
        let NewFiring { id, due_at, task } = firing;
        let task = match task {
            Err(why) => Err(why),
            Ok(task) => match PreparedTask::new(task, &self.inner.payloads).await {
                Ok(task) => Ok(task),
                Err(StoreError::Refused(why)) => Err(why),
                Err(error) => return Err(error),
            },
        };
        Ok(Prepared { id, due_at, task })
    }
}

impl Prepared {
    fn bytes(&self) -> usize {
        self.task.as_ref().map_or(0, PreparedTask::bytes)
    }
}

/// See [`crate::Schedules::fire`].
pub(super) async fn fire(store: &SqliteStore, fire: Fire) -> Result<FireOutcome> {
    let Fire { tenant, schedule, advance, firings } = fire;
    let mut prepared = Vec::with_capacity(firings.len());
    for firing in firings {
        prepared.push(store.prepare_firing(firing).await?);
    }
    let bytes = prepared.iter().map(Prepared::bytes).sum();
    store
        .inner
        .writer
        .call(Lane::Work, bytes, move |tx| {
            let found = tx.row(
                "SELECT s.num, s.tenant, s.overlap, s.revision, s.next_fire_at
                 FROM schedules s JOIN tenants n ON n.num = s.tenant WHERE s.id = ?1 AND n.id = ?2",
                params![schedule.0.as_bytes(), tenant.0.as_bytes()],
                |row| Ok((Standing::read(row)?, row.get::<_, u32>(3)?, row.get::<_, Option<i64>>(4)?)),
            )?;
            let Some((standing, revision, next)) = found else { return Ok(FireOutcome::NotFound) };
            if let Some(advance) = advance {
                if revision != advance.revision || next != Some(advance.from) {
                    return Ok(FireOutcome::Moved);
                }
                tx.execute(
                    "UPDATE schedules SET next_fire_at = ?2 WHERE num = ?1",
                    params![standing.num, advance.to],
                )?;
            }
            let fired: Vec<Firing> = prepared
                .iter()
                .map(|firing| settle(tx, &standing, firing, advance.is_none()))
                .collect::<Result<_>>()?;
            if let Some(newest) = fired.iter().map(|firing| firing.due_at).max() {
                tx.execute(
                    "UPDATE schedules SET last_fire_at = max(coalesce(last_fire_at, ?2), ?2) WHERE num = ?1",
                    params![standing.num, newest],
                )?;
                forget_old(tx, &standing)?;
            }
            Ok(FireOutcome::Fired(fired))
        })
        .await
}

/// Decides about one firing and records what came of it.
fn settle(tx: &Tx<'_>, standing: &Standing, new: &Prepared, triggered: bool) -> Result<Firing> {
    let known = tx.row(
        &format!("SELECT {FIRING} FROM schedule_firings f WHERE f.id = ?1 AND f.schedule = ?2"),
        params![new.id.0.as_bytes(), standing.num],
        |row| read_firing(row, 0),
    )?;
    if let Some(known) = known {
        return Ok(known);
    }
    let (state, why) = match (&new.task, standing.in_the_way(tx)?) {
        (Err(why), _) => (FiringState::Failed, Some(why.clone())),
        (Ok(task), None) => create(tx, standing, task, new.due_at)?,
        (Ok(_), Some(busy)) => match standing.overlap {
            Overlap::Queue if standing.queued(tx)? < MOST_QUEUED => (FiringState::Queued, None),
            Overlap::Queue => (FiringState::Skipped, Some(format!("{MOST_QUEUED} firings were waiting"))),
            Overlap::Replace => {
                tx.execute(
                    "UPDATE schedule_firings SET state = ?2, why = ?3, at = ?4 WHERE schedule = ?1 AND state = ?5",
                    params![standing.num, REPLACED, "a newer firing took its place", tx.now, QUEUED],
                )?;
                (FiringState::Queued, None)
            }
            Overlap::Skip => (FiringState::Skipped, Some(busy)),
        },
    };
    tx.execute(
        "INSERT INTO schedule_firings (schedule, tenant, id, due_at, triggered, state, why, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            standing.num,
            standing.tenant,
            new.id.0.as_bytes(),
            new.due_at,
            triggered,
            firing_number(state),
            why,
            tx.now
        ],
    )?;
    Ok(Firing { task: new.id, due_at: new.due_at, triggered, state, why, at: tx.now })
}

/// Creates a firing's task; one that the database refuses fails its firing and no other.
fn create(
    tx: &Tx<'_>,
    standing: &Standing,
    task: &PreparedTask,
    due_at: i64,
) -> Result<(FiringState, Option<String>)> {
    match tx.apart(|tx| create_fired(tx, standing.tenant, task)) {
        Ok(num) => {
            tx.execute("UPDATE schedules SET last_task = ?2 WHERE num = ?1", [standing.num, num])?;
            maintenance::pause_fired(tx, num, due_at)?;
            Ok((FiringState::Created, None))
        }
        Err(StoreError::Refused(why)) => Ok((FiringState::Failed, Some(why))),
        Err(error) => Err(error),
    }
}

/// Only the newest are kept, and those that wait.
fn forget_old(tx: &Tx<'_>, standing: &Standing) -> Result<()> {
    tx.execute(
        "DELETE FROM schedule_firings WHERE schedule = ?1 AND state <> ?2 AND num <=
             (SELECT num FROM schedule_firings WHERE schedule = ?1 ORDER BY num DESC LIMIT 1 OFFSET ?3)",
        params![standing.num, QUEUED, KEPT_FIRINGS],
    )
    .map(drop)
}

impl Standing {
    /// From the first three columns: number, tenant, overlap.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let number: i16 = row.get(2)?;
        let overlap = Overlap::ALL.into_iter().find(|overlap| overlap_number(*overlap) == number);
        Ok(Self {
            num: row.get(0)?,
            tenant: row.get(1)?,
            overlap: overlap.ok_or(rusqlite::Error::IntegralValueOutOfRange(2, i64::from(number)))?,
        })
    }

    /// Why a firing cannot start now: the newest task has not ended, or others wait before it.
    fn in_the_way(&self, tx: &Tx<'_>) -> Result<Option<String>> {
        if let Some(task) = self.open_task(tx)? {
            return Ok(Some(format!("the task {task} had not ended")));
        }
        Ok((self.queued(tx)? > 0).then(|| "earlier firings were waiting".to_owned()))
    }

    fn open_task(&self, tx: &Tx<'_>) -> Result<Option<TaskId>> {
        tx.row(
            "SELECT t.id FROM schedules s JOIN tasks t ON t.num = s.last_task
             WHERE s.num = ?1 AND t.completed_at IS NULL",
            [self.num],
            |row| Ok(TaskId(rows::id(row, 0)?)),
        )
    }

    fn queued(&self, tx: &Tx<'_>) -> Result<u32> {
        let count = tx.row(
            "SELECT count(*) FROM schedule_firings WHERE schedule = ?1 AND state = ?2",
            params![self.num, QUEUED],
            |row| row.get(0),
        )?;
        Ok(count.unwrap_or(0))
    }
}

/// See [`crate::Schedules::queued_firings`].
pub(super) async fn queued(store: &SqliteStore, limit: u32) -> Result<Vec<QueuedFiring>> {
    let raw: Vec<(Raw, Firing, Option<TaskId>)> = store
        .inner
        .readers
        .call(move |conn| {
            let sql = format!(
                "SELECT {}, {FIRING}, t.id FROM schedule_firings f
                 JOIN schedules s ON s.num = f.schedule
                 JOIN tenants n ON n.num = s.tenant
                 LEFT JOIN tasks t ON t.num = s.last_task AND t.completed_at IS NULL
                 WHERE f.state = {QUEUED} AND s.paused = 0 AND (t.num IS NULL OR s.overlap = {REPLACE})
                     AND f.num = (SELECT min(num) FROM schedule_firings WHERE schedule = s.num AND state = {QUEUED})
                 ORDER BY f.num LIMIT ?1",
                Raw::COLUMNS
            );
            let rows = conn
                .prepare_cached(&sql)?
                .query_map([limit], |row| {
                    Ok((Raw::read(row)?, read_firing(row, 11)?, rows::optional_id(row, 17)?.map(TaskId)))
                })?
                .collect::<rusqlite::Result<_>>()?;
            Ok(rows)
        })
        .await?;
    let mut queued = Vec::with_capacity(raw.len());
    for (schedule, firing, blocked_by) in raw {
        if let Some(schedule) = schedule.load_if_readable(&store.inner.payloads).await? {
            queued.push(QueuedFiring { schedule, firing, blocked_by });
        }
    }
    Ok(queued)
}

/// See [`crate::Schedules::start_queued`].
pub(super) async fn start_queued(
    store: &SqliteStore,
    tenant: TenantId,
    schedule: ScheduleId,
    firing: NewFiring,
) -> Result<Option<Firing>> {
    let prepared = store.prepare_firing(firing).await?;
    store
        .inner
        .writer
        .call(Lane::Work, prepared.bytes(), move |tx| {
            let oldest = tx.row(
                &format!(
                    "SELECT s.num, s.tenant, s.overlap, f.num, {FIRING} FROM schedules s
                     JOIN tenants n ON n.num = s.tenant
                     JOIN schedule_firings f ON f.schedule = s.num AND f.state = {QUEUED}
                     WHERE s.id = ?1 AND n.id = ?2 AND s.paused = 0 ORDER BY f.num LIMIT 1"
                ),
                params![schedule.0.as_bytes(), tenant.0.as_bytes()],
                |row| Ok((Standing::read(row)?, row.get::<_, i64>(3)?, read_firing(row, 4)?)),
            )?;
            let Some((standing, num, mut firing)) = oldest else { return Ok(None) };
            if firing.task != prepared.id || standing.open_task(tx)?.is_some() {
                return Ok(None);
            }
            (firing.state, firing.why) = match &prepared.task {
                Ok(task) => create(tx, &standing, task, firing.due_at)?,
                Err(why) => (FiringState::Failed, Some(why.clone())),
            };
            firing.at = tx.now;
            tx.execute(
                "UPDATE schedule_firings SET state = ?2, why = ?3, at = ?4 WHERE num = ?1",
                params![num, firing_number(firing.state), firing.why, firing.at],
            )?;
            Ok(Some(firing))
        })
        .await
}

/// See [`crate::Schedules::firings`].
pub(super) async fn newest(
    store: &SqliteStore,
    tenant: TenantId,
    schedule: ScheduleId,
    limit: u32,
) -> Result<Vec<Firing>> {
    store
        .inner
        .readers
        .call(move |conn| {
            let num: Option<i64> = conn
                .prepare_cached(
                    "SELECT s.num FROM schedules s JOIN tenants n ON n.num = s.tenant WHERE s.id = ?1 AND n.id = ?2",
                )?
                .query_row(params![schedule.0.as_bytes(), tenant.0.as_bytes()], |row| row.get(0))
                .optional()?;
            let rows = conn
                .prepare_cached(&format!(
                    "SELECT {FIRING} FROM schedule_firings f WHERE f.schedule = ?1 ORDER BY f.num DESC LIMIT ?2"
                ))?
                .query_map(params![num, limit], |row| read_firing(row, 0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(rows)
        })
        .await
}
