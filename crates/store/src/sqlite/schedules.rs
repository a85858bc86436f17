//! Schedules as rows. What fires them lies in [`super::firings`].

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId, UserId};
use agenticai_domain::schedule::Firing;

use super::transaction::Tx;
use super::writer::Lane;
use super::{SqliteStore, firings, rows};
use crate::payload::Payloads;
use crate::status::overlap_number;
use crate::{
    ChangeSchedule, Fire, FireOutcome, NewFiring, NewSchedule, Page, PutSchedule, QueuedFiring, Result,
    ScheduleRow, ScheduleSelector, Schedules, StoreError,
};

/// A schedule as it lies in the database.
pub(super) struct Raw {
    id: ScheduleId,
    tenant: TenantId,
    revision: u32,
    paused: bool,
    next_fire_at: Option<i64>,
    last_fire_at: Option<i64>,
    last_task: Option<TaskId>,
    created_by: Option<UserId>,
    created_at: i64,
    updated_at: i64,
    body: Vec<u8>,
}

/// What a write did.
enum Put {
    Done(ScheduleId),
    NameTaken,
    Moved,
    NotFound,
}

#[async_trait]
impl Schedules for SqliteStore {
    async fn create_schedule(&self, new: NewSchedule) -> Result<PutSchedule> {
        let tenant = new.tenant;
        let body = self.inner.payloads.keep(tenant, None, &new.spec).await?;
        let put = self.inner.writer.call(Lane::Work, body.len(), move |tx| insert(tx, &new, &body)).await?;
        self.as_put(tenant, put).await
    }

    async fn change_schedule(
        &self,
        tenant: TenantId,
        id: ScheduleId,
        change: ChangeSchedule,
    ) -> Result<PutSchedule> {
        let body = match &change.spec {
            None => None,
            Some(spec) => Some(self.inner.payloads.keep(tenant, None, spec).await?),
        };
        let bytes = body.as_ref().map_or(0, Vec::len);
        let put = self
            .inner
            .writer
            .call(Lane::Work, bytes, move |tx| update(tx, tenant, id, &change, body.as_deref()))
            .await?;
        self.as_put(tenant, put).await
    }

    async fn schedule(&self, tenant: TenantId, which: ScheduleSelector) -> Result<Option<ScheduleRow>> {
        let raw = self
            .inner
            .readers
            .call(move |conn| match which {
                ScheduleSelector::Id(id) => {
                    Raw::all(conn, "s.id = ?1 AND n.id = ?2", params![id.0.as_bytes(), tenant.0.as_bytes()])
                }
                ScheduleSelector::Name(name) => {
                    Raw::all(conn, "s.name = ?1 AND n.id = ?2", params![name, tenant.0.as_bytes()])
                }
            })
            .await?;
        match raw.into_iter().next() {
            None => Ok(None),
            Some(raw) => Ok(Some(raw.load(&self.inner.payloads).await?)),
        }
    }

    async fn list_schedules(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<ScheduleRow>> {
        let limit = limit.max(1);
        let raw = self
            .inner
            .readers
            .call(move |conn| {
                // One row more than asked for, to know whether more follow.
                let which = "n.id = ?1 AND (?2 IS NULL OR s.name > ?2) ORDER BY s.name LIMIT ?3";
                Raw::all(conn, which, params![tenant.0.as_bytes(), cursor, i64::from(limit) + 1])
            })
            .await?;
        let more = raw.len() > limit as usize;
        let mut items = Vec::with_capacity(raw.len());
        for raw in raw.into_iter().take(limit as usize) {
            items.push(raw.load(&self.inner.payloads).await?);
        }
        let next_cursor = if more { items.last().map(|row| row.spec.name.clone()) } else { None };
        Ok(Page { items, next_cursor })
    }

    async fn delete_schedule(&self, tenant: TenantId, which: ScheduleSelector) -> Result<bool> {
        self.inner
            .writer
            .call(Lane::Work, 0, move |tx| {
                let Some((num, _)) = find(tx, tenant, &which)? else { return Ok(false) };
                tx.execute("DELETE FROM schedule_firings WHERE schedule = ?1", [num])?;
                tx.execute("DELETE FROM schedules WHERE num = ?1", [num])?;
                Ok(true)
            })
            .await
    }

    async fn firings(&self, tenant: TenantId, schedule: ScheduleId, limit: u32) -> Result<Vec<Firing>> {
        firings::newest(self, tenant, schedule, limit).await
    }

    async fn due_schedules(&self, limit: u32) -> Result<Vec<ScheduleRow>> {
        let now = self.inner.clock.now();
        let raw = self
            .inner
            .readers
            .call(move |conn| {
                let which =
                    "s.next_fire_at IS NOT NULL AND s.next_fire_at <= ?1 ORDER BY s.next_fire_at LIMIT ?2";
                Raw::all(conn, which, params![now, limit])
            })
            .await?;
        let mut due = Vec::with_capacity(raw.len());
        for raw in raw {
            due.extend(raw.load_if_readable(&self.inner.payloads).await?);
        }
        Ok(due)
    }

    async fn next_occurrence_in(&self) -> Result<Option<u64>> {
        let next: Option<i64> = self
            .inner
            .readers
            .call(|conn| {
                let sql = "SELECT min(next_fire_at) FROM schedules WHERE next_fire_at IS NOT NULL";
                Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
            })
            .await?;
        let now = self.inner.clock.now();
        Ok(next.map(|next| u64::try_from(next.saturating_sub(now)).unwrap_or(0)))
    }

    async fn fire(&self, fire: Fire) -> Result<FireOutcome> {
        firings::fire(self, fire).await
    }

    async fn queued_firings(&self, limit: u32) -> Result<Vec<QueuedFiring>> {
        firings::queued(self, limit).await
    }

    async fn start_queued(
        &self,
        tenant: TenantId,
        schedule: ScheduleId,
        firing: NewFiring,
    ) -> Result<Option<Firing>> {
        firings::start_queued(self, tenant, schedule, firing).await
    }
}

impl SqliteStore {
    async fn as_put(&self, tenant: TenantId, put: Put) -> Result<PutSchedule> {
        match put {
            Put::NameTaken => Ok(PutSchedule::NameTaken),
            Put::Moved => Ok(PutSchedule::Moved),
            Put::NotFound => Ok(PutSchedule::NotFound),
            Put::Done(id) => {
                let row = self.schedule(tenant, ScheduleSelector::Id(id)).await?;
                Ok(row.map_or(PutSchedule::NotFound, |row| PutSchedule::Stored(Box::new(row))))
            }
        }
    }
}

/// The number and the id of a schedule.
fn find(tx: &Tx<'_>, tenant: TenantId, which: &ScheduleSelector) -> Result<Option<(i64, ScheduleId)>> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, ScheduleId(rows::id(row, 1)?)));
    let select = "SELECT s.num, s.id FROM schedules s JOIN tenants n ON n.num = s.tenant WHERE n.id = ?1";
    match which {
        ScheduleSelector::Id(id) => {
            tx.row(&format!("{select} AND s.id = ?2"), params![tenant.0.as_bytes(), id.0.as_bytes()], read)
        }
        ScheduleSelector::Name(name) => {
            tx.row(&format!("{select} AND s.name = ?2"), params![tenant.0.as_bytes(), name], read)
        }
    }
}

fn insert(tx: &Tx<'_>, new: &NewSchedule, body: &[u8]) -> Result<Put> {
    // The creator chose the id: the same id is the same request, sent again.
    if find(tx, new.tenant, &ScheduleSelector::Id(new.id))?.is_some() {
        return Ok(Put::Done(new.id));
    }
    if find(tx, new.tenant, &ScheduleSelector::Name(new.spec.name.clone()))?.is_some() {
        return Ok(Put::NameTaken);
    }
    let inserted = tx.execute(
        "INSERT INTO schedules (tenant, id, name, revision, paused, overlap, next_fire_at, created_by, created_at,
                                updated_at, body)
         SELECT num, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?8, ?9 FROM tenants WHERE id = ?1",
        params![
            new.tenant.0.as_bytes(),
            new.id.0.as_bytes(),
            new.spec.name,
            new.paused,
            overlap_number(new.spec.overlap),
            new.next_fire_at,
            new.created_by.as_ref().map(|user| user.0.as_bytes()),
            tx.now,
            body
        ],
    )?;
    match inserted {
        0 => Err(StoreError::Refused(format!("there is no tenant {}", new.tenant))),
        _ => Ok(Put::Done(new.id)),
    }
}

fn update(
    tx: &Tx<'_>,
    tenant: TenantId,
    id: ScheduleId,
    change: &ChangeSchedule,
    body: Option<&[u8]>,
) -> Result<Put> {
    let Some((num, _)) = find(tx, tenant, &ScheduleSelector::Id(id))? else { return Ok(Put::NotFound) };
    if let Some(spec) = &change.spec {
        let holder = find(tx, tenant, &ScheduleSelector::Name(spec.name.clone()))?;
        if holder.is_some_and(|(other, _)| other != num) {
            return Ok(Put::NameTaken);
        }
    }
    let changed = tx.execute(
        "UPDATE schedules SET revision = revision + 1, paused = ?3, next_fire_at = ?4 WHERE num = ?1 AND revision = ?2",
        params![num, change.revision, change.paused, change.next_fire_at],
    )?;
    if changed == 0 {
        return Ok(Put::Moved);
    }
    if let (Some(spec), Some(body)) = (&change.spec, body) {
        tx.execute(
            "UPDATE schedules SET name = ?2, overlap = ?3, updated_at = ?4, body = ?5 WHERE num = ?1",
            params![num, spec.name, overlap_number(spec.overlap), tx.now, body],
        )?;
    }
    Ok(Put::Done(id))
}

impl Raw {
    /// What [`Self::read`] reads from its first column on.
    pub(super) const COLUMNS: &'static str =
        "s.id, n.id, s.revision, s.paused, s.next_fire_at, s.last_fire_at,
         (SELECT id FROM tasks WHERE num = s.last_task), s.created_by, s.created_at, s.updated_at, s.body";

    fn all(conn: &Connection, which: &str, params: impl rusqlite::Params) -> Result<Vec<Self>> {
        let sql = format!(
            "SELECT {} FROM schedules s JOIN tenants n ON n.num = s.tenant WHERE {which}",
            Self::COLUMNS
        );
        Ok(conn.prepare_cached(&sql)?.query_map(params, Self::read)?.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: ScheduleId(rows::id(row, 0)?),
            tenant: TenantId(rows::id(row, 1)?),
            revision: row.get(2)?,
            paused: row.get(3)?,
            next_fire_at: row.get(4)?,
            last_fire_at: row.get(5)?,
            last_task: rows::optional_id(row, 6)?.map(TaskId),
            created_by: rows::optional_id(row, 7)?.map(UserId),
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
            body: row.get(10)?,
        })
    }

    async fn load(self, payloads: &Payloads) -> Result<ScheduleRow> {
        Ok(ScheduleRow {
            spec: payloads.load(self.tenant, &self.body).await?,
            id: self.id,
            tenant: self.tenant,
            revision: self.revision,
            paused: self.paused,
            next_fire_at: self.next_fire_at,
            last_fire_at: self.last_fire_at,
            last_task: self.last_task,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    /// One schedule that cannot be read must not keep the others from firing.
    pub(super) async fn load_if_readable(self, payloads: &Payloads) -> Result<Option<ScheduleRow>> {
        let id: Uuid = self.id.0;
        match self.load(payloads).await {
            Err(StoreError::Unreadable(why)) => {
                tracing::error!(schedule = %id, %why, "a schedule cannot be read; it does not fire");
                Ok(None)
            }
            loaded => loaded.map(Some),
        }
    }
}
