//! Firing schedules. A schedule's row is locked while it is fired: what one scheduler has fired, the next one sees.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId};
use agenticai_domain::journal::WRITES_FORMAT;
use agenticai_domain::schedule::{Firing, FiringState, MOST_QUEUED, Overlap};

use super::PostgresStore;
use super::columns::{PreparedTask, TaskColumns};
use super::connection::Param;
use super::rows::get;
use super::schedules::RawSchedule;
use crate::schedules::KEPT_FIRINGS;
use crate::status::{firing_number, firing_of, overlap_number};
use crate::{Fire, FireOutcome, NewFiring, QueuedFiring, Result, StoreError};

const FIRING: &str = "f.id, f.due_at, f.triggered, f.state, f.why, f.at";

/// A firing from the six columns from `at` on.
fn read_firing(row: &Row, at: usize) -> Result<Firing> {
    let number: i16 = get(row, at + 3)?;
    Ok(Firing {
        task: TaskId(get(row, at)?),
        due_at: get(row, at + 1)?,
        triggered: get(row, at + 2)?,
        state: firing_of(number)
            .ok_or_else(|| StoreError::Unreadable(format!("{number} is no state of a firing")))?,
        why: get(row, at + 4)?,
        at: get(row, at + 5)?,
    })
}

/// Firings as columns: their tasks stand in columns of their own, and here by their place there, counted from 1.
#[derive(Default)]
struct FiringColumns {
    id: Vec<Uuid>,
    due_at: Vec<i64>,
    task: Vec<Option<i32>>,
    why: Vec<Option<String>>,
    tasks: Vec<PreparedTask>,
}

impl FiringColumns {
    async fn push(&mut self, store: &PostgresStore, firing: NewFiring) -> Result<()> {
        let NewFiring { id, due_at, task } = firing;
        let prepared = match task {
            Err(why) => Err(why),
            Ok(task) => match PreparedTask::new(task, &store.inner.payloads).await {
                Ok(task) => Ok(task),
                Err(StoreError::Refused(why)) => Err(why),
                Err(error) => return Err(error),
            },
        };
        self.id.push(id.0);
        self.due_at.push(due_at);
        match prepared {
            Ok(task) => {
                self.tasks.push(task);
                self.task.push(Some(i32::try_from(self.tasks.len()).unwrap_or(i32::MAX)));
                self.why.push(None);
            }
            Err(why) => {
                self.task.push(None);
                // No text of the database holds a NUL.
                self.why.push(Some(why.replace('\0', "\u{fffd}")));
            }
        }
        Ok(())
    }
}

/// See [`crate::Schedules::fire`].
pub(super) async fn fire(store: &PostgresStore, fire: Fire) -> Result<FireOutcome> {
    let Fire { tenant, schedule, advance, firings } = fire;
    let mut columns = FiringColumns::default();
    for firing in firings {
        columns.push(store, firing).await?;
    }
    // A revision that no column holds was never read from one.
    let Ok(revision) = advance.map(|advance| i32::try_from(advance.revision)).transpose() else {
        return Ok(FireOutcome::Moved);
    };
    let (floor, format) = (store.inner.clock.get(), i16::from(WRITES_FORMAT));
    let (from, to) = (advance.map(|advance| advance.from), advance.and_then(|advance| advance.to));
    let (most_queued, most_kept) = (i64::from(MOST_QUEUED), i64::from(KEPT_FIRINGS));
    let mut params: Vec<Param<'_>> = vec![
        (&floor, Type::INT8),
        (&format, Type::INT2),
        (&tenant.0, Type::UUID),
        (&schedule.0, Type::UUID),
        (&revision, Type::INT4),
        (&from, Type::INT8),
        (&to, Type::INT8),
        (&most_queued, Type::INT8),
        (&most_kept, Type::INT8),
        (&columns.id, Type::UUID_ARRAY),
        (&columns.due_at, Type::INT8_ARRAY),
        (&columns.task, Type::INT4_ARRAY),
        (&columns.why, Type::TEXT_ARRAY),
    ];
    let tasks = TaskColumns::of(&columns.tasks);
    params.extend(tasks.params());
    let sql = "SELECT idx, outcome, task, due_at, triggered, state, why, at FROM fire_schedule($1, $2, $3, $4, $5, $6, $7,
         $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27) ORDER BY idx";
    let rows = store.inner.write.rows(sql, &params).await?;
    let Some((first, fired)) = rows.split_first() else {
        return Err(StoreError::Unavailable("the database gave no answer".to_owned()));
    };
    store.inner.clock.raise(get(first, 7)?);
    match get::<i16>(first, 1)? {
        0 => Ok(FireOutcome::Fired(fired.iter().map(|row| read_firing(row, 2)).collect::<Result<_>>()?)),
        1 => Ok(FireOutcome::Moved),
        _ => Ok(FireOutcome::NotFound),
    }
}

/// See [`crate::Schedules::queued_firings`].
pub(super) async fn queued(store: &PostgresStore, limit: u32) -> Result<Vec<QueuedFiring>> {
    const QUEUED: i16 = firing_number(FiringState::Queued);
    const REPLACE: i16 = overlap_number(Overlap::Replace);
    let sql = format!(
        "SELECT {}, {FIRING}, t.id FROM schedule_firings f
         JOIN schedules s ON s.num = f.schedule
         JOIN tenants n ON n.num = s.tenant
         LEFT JOIN tasks t ON t.num = s.last_task AND t.completed_at IS NULL
         WHERE f.state = {QUEUED} AND NOT s.paused AND (t.num IS NULL OR s.overlap = {REPLACE})
             AND f.num = (SELECT min(num) FROM schedule_firings WHERE schedule = s.num AND state = {QUEUED})
         ORDER BY f.num LIMIT $1",
        RawSchedule::COLUMNS
    );
    // Planned each time: a plan that was made while nothing waited would be kept.
    let rows = store.inner.read.rows_once(&sql, &[(&i64::from(limit), Type::INT8)]).await?;
    let mut queued = Vec::with_capacity(rows.len());
    for row in &rows {
        let firing = read_firing(row, RawSchedule::WIDTH)?;
        let blocked_by = get::<Option<Uuid>>(row, RawSchedule::WIDTH + 6)?.map(TaskId);
        if let Some(schedule) = RawSchedule::read(row)?.load_if_readable(&store.inner.payloads).await? {
            queued.push(QueuedFiring { schedule, firing, blocked_by });
        }
    }
    Ok(queued)
}

/// See [`crate::Schedules::start_queued`].
pub(super) async fn start_queued(
    store: &PostgresStore,
    tenant: TenantId,
    schedule: ScheduleId,
    firing: NewFiring,
) -> Result<Option<Firing>> {
    let id = firing.id;
    let mut columns = FiringColumns::default();
    columns.push(store, firing).await?;
    let (floor, format) = (store.inner.clock.get(), i16::from(WRITES_FORMAT));
    let why = columns.why.first().cloned().flatten();
    let mut params: Vec<Param<'_>> = vec![
        (&floor, Type::INT8),
        (&format, Type::INT2),
        (&tenant.0, Type::UUID),
        (&schedule.0, Type::UUID),
        (&id.0, Type::UUID),
        (&why, Type::TEXT),
    ];
    let tasks = TaskColumns::of(&columns.tasks);
    params.extend(tasks.params());
    let sql = "SELECT task, due_at, triggered, state, why, at FROM start_queued($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
         $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
    let row = store.inner.write.row(sql, &params).await?;
    row.map(|row| read_firing(&row, 0)).transpose()
}

/// See [`crate::Schedules::firings`].
pub(super) async fn newest(
    store: &PostgresStore,
    tenant: TenantId,
    schedule: ScheduleId,
    limit: u32,
) -> Result<Vec<Firing>> {
    let sql = format!(
        "SELECT {FIRING} FROM schedule_firings f
         WHERE f.schedule = (SELECT s.num FROM schedules s JOIN tenants n ON n.num = s.tenant
                             WHERE s.id = $1 AND n.id = $2)
         ORDER BY f.num DESC LIMIT $3"
    );
    let params: [Param<'_>; 3] =
        [(&schedule.0, Type::UUID), (&tenant.0, Type::UUID), (&i64::from(limit), Type::INT8)];
    let rows = store.inner.read.rows(&sql, &params).await?;
    rows.iter().map(|row| read_firing(row, 0)).collect()
}
