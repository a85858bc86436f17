//! Schedules as rows. What fires them lies in [`super::firings`].

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId, UserId};
use agenticai_domain::schedule::Firing;

use super::connection::Param;
use super::rows::{count, get, small};
use super::{PostgresStore, firings};
use crate::payload::Payloads;
use crate::status::overlap_number;
use crate::{
    ChangeSchedule, Fire, FireOutcome, NewFiring, NewSchedule, Page, PutSchedule, QueuedFiring, Result,
    ScheduleRow, ScheduleSelector, Schedules, StoreError,
};

/// A schedule as it lies in the database.
pub(super) struct RawSchedule {
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

#[async_trait]
impl Schedules for PostgresStore {
    async fn create_schedule(&self, new: NewSchedule) -> Result<PutSchedule> {
        let body = self.inner.payloads.keep(new.tenant, None, &new.spec).await?;
        let outcome = self
            .put_outcome(
                "SELECT outcome FROM create_schedule($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &[
                    (&self.inner.clock.get(), Type::INT8),
                    (&new.tenant.0, Type::UUID),
                    (&new.id.0, Type::UUID),
                    (&new.spec.name, Type::TEXT),
                    (&new.paused, Type::BOOL),
                    (&overlap_number(new.spec.overlap), Type::INT2),
                    (&new.next_fire_at, Type::INT8),
                    (&new.created_by.map(|user| user.0), Type::UUID),
                    (&body, Type::BYTEA),
                ],
            )
            .await?;
        self.as_put(new.tenant, new.id, outcome).await
    }

    async fn change_schedule(
        &self,
        tenant: TenantId,
        id: ScheduleId,
        change: ChangeSchedule,
    ) -> Result<PutSchedule> {
        let ChangeSchedule { revision, spec, paused, next_fire_at } = change;
        let body = match &spec {
            None => None,
            Some(spec) => Some(self.inner.payloads.keep(tenant, None, spec).await?),
        };
        // A revision that no column holds was never read from one.
        let Ok(revision) = i32::try_from(revision) else { return Ok(PutSchedule::Moved) };
        let outcome = self
            .put_outcome(
                "SELECT outcome FROM change_schedule($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &[
                    (&self.inner.clock.get(), Type::INT8),
                    (&tenant.0, Type::UUID),
                    (&id.0, Type::UUID),
                    (&revision, Type::INT4),
                    (&paused, Type::BOOL),
                    (&next_fire_at, Type::INT8),
                    (&spec.as_ref().map(|spec| spec.name.as_str()), Type::TEXT),
                    (&spec.as_ref().map(|spec| overlap_number(spec.overlap)), Type::INT2),
                    (&body, Type::BYTEA),
                ],
            )
            .await?;
        self.as_put(tenant, id, outcome).await
    }

    async fn schedule(&self, tenant: TenantId, which: ScheduleSelector) -> Result<Option<ScheduleRow>> {
        let (id, name) = parts(which);
        let raw = self
            .raw_schedules(
                "n.id = $1 AND (s.id = $2 OR s.name = $3)",
                &[(&tenant.0, Type::UUID), (&id, Type::UUID), (&name, Type::TEXT)],
            )
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
        // One row more than asked for, to know whether more follow.
        let raw = self
            .raw_schedules(
                "n.id = $1 AND ($2::text IS NULL OR s.name COLLATE \"C\" > $2) ORDER BY s.name COLLATE \"C\" LIMIT $3",
                &[(&tenant.0, Type::UUID), (&cursor, Type::TEXT), (&(i64::from(limit) + 1), Type::INT8)],
            )
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
        let (id, name) = parts(which);
        let row = self
            .inner
            .write
            .row(
                "SELECT delete_schedule($1, $2, $3)",
                &[(&tenant.0, Type::UUID), (&id, Type::UUID), (&name, Type::TEXT)],
            )
            .await?;
        row.map_or(Ok(false), |row| get(&row, 0))
    }

    async fn firings(&self, tenant: TenantId, schedule: ScheduleId, limit: u32) -> Result<Vec<Firing>> {
        firings::newest(self, tenant, schedule, limit).await
    }

    async fn due_schedules(&self, limit: u32) -> Result<Vec<ScheduleRow>> {
        let raw = self
            .raw_schedules(
                "s.next_fire_at <= clock_ms($1) ORDER BY s.next_fire_at LIMIT $2",
                &[(&self.inner.clock.get(), Type::INT8), (&i64::from(limit), Type::INT8)],
            )
            .await?;
        let mut due = Vec::with_capacity(raw.len());
        for raw in raw {
            due.extend(raw.load_if_readable(&self.inner.payloads).await?);
        }
        Ok(due)
    }

    async fn next_occurrence_in(&self) -> Result<Option<u64>> {
        let row = self
            .inner
            .read
            .row(
                "SELECT greatest(next_fire_at - clock_ms($1), 0) FROM schedules WHERE next_fire_at IS NOT NULL
                 ORDER BY next_fire_at LIMIT 1",
                &[(&self.inner.clock.get(), Type::INT8)],
            )
            .await?;
        row.map(|row| count(&row, 0)).transpose()
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

/// Id and name, of which one is given.
fn parts(which: ScheduleSelector) -> (Option<Uuid>, Option<String>) {
    match which {
        ScheduleSelector::Id(id) => (Some(id.0), None),
        ScheduleSelector::Name(name) => (None, Some(name)),
    }
}

impl PostgresStore {
    /// The number that a function answers.
    async fn put_outcome(&self, sql: &str, params: &[Param<'_>]) -> Result<i16> {
        match self.inner.write.row(sql, params).await? {
            Some(row) => get(&row, 0),
            None => Err(StoreError::Unavailable("the database gave no answer".to_owned())),
        }
    }

    async fn as_put(&self, tenant: TenantId, id: ScheduleId, outcome: i16) -> Result<PutSchedule> {
        match outcome {
            0 => {
                let row = self.schedule(tenant, ScheduleSelector::Id(id)).await?;
                Ok(row.map_or(PutSchedule::NotFound, |row| PutSchedule::Stored(Box::new(row))))
            }
            1 => Ok(PutSchedule::NameTaken),
            2 => Ok(PutSchedule::Moved),
            _ => Ok(PutSchedule::NotFound),
        }
    }

    async fn raw_schedules(&self, which: &str, params: &[Param<'_>]) -> Result<Vec<RawSchedule>> {
        let sql = format!(
            "SELECT {} FROM schedules s JOIN tenants n ON n.num = s.tenant WHERE {which}",
            RawSchedule::COLUMNS
        );
        let rows = self.inner.read.rows(&sql, params).await?;
        rows.iter().map(RawSchedule::read).collect()
    }
}

impl RawSchedule {
    /// What [`Self::read`] reads from the first column on, of `s` and of the tenant `n`.
    pub(super) const COLUMNS: &'static str =
        "s.id, n.id, s.revision, s.paused, s.next_fire_at, s.last_fire_at,
         (SELECT id FROM tasks WHERE num = s.last_task), s.created_by, s.created_at, s.updated_at, s.body";

    /// How many columns that is.
    pub(super) const WIDTH: usize = 11;

    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: ScheduleId(get(row, 0)?),
            tenant: TenantId(get(row, 1)?),
            revision: small(row, 2)?,
            paused: get(row, 3)?,
            next_fire_at: get(row, 4)?,
            last_fire_at: get(row, 5)?,
            last_task: get::<Option<Uuid>>(row, 6)?.map(TaskId),
            created_by: get::<Option<Uuid>>(row, 7)?.map(UserId),
            created_at: get(row, 8)?,
            updated_at: get(row, 9)?,
            body: get(row, 10)?,
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
        let id = self.id;
        match self.load(payloads).await {
            Err(StoreError::Unreadable(why)) => {
                tracing::error!(schedule = %id, %why, "a schedule cannot be read; it does not fire");
                Ok(None)
            }
            loaded => loaded.map(Some),
        }
    }
}
