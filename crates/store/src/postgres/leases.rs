//! Workers and who advances which task.

use async_trait::async_trait;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{TaskId, TenantId};

use super::PostgresStore;
use super::connection::Param;
use super::rows::{ALIVE, DEAD, count, get, small};
use crate::leases::POISON;
use crate::{
    Beat, Claimed, Isolation, Leases, Observed, ReadyClass, Result, StoreError, Suspects, Wanted, WorkerId,
    WorkerInfo,
};

/// Workers beat more often than this, in milliseconds.
const SILENT_MS: i64 = 1_000;

impl PostgresStore {
    /// The one value that a statement answers.
    pub(super) async fn number<T: for<'a> tokio_postgres::types::FromSql<'a>>(
        &self,
        sql: &str,
        params: &[super::connection::Param<'_>],
    ) -> Result<T> {
        let row = self.inner.write.row(sql, params).await?;
        get(&row.ok_or_else(|| StoreError::Unavailable("the database gave no answer".to_owned()))?, 0)
    }
}

#[async_trait]
impl Leases for PostgresStore {
    async fn register_worker(&self, info: WorkerInfo) -> Result<WorkerId> {
        // Positive, and of 62 bits: none is ever drawn twice.
        let drawn = Uuid::new_v4().as_u64_pair().0 >> 2;
        // The newest beat of all is a time below which this worker's clock must not be.
        let row = self
            .inner
            .write
            .row(
                "INSERT INTO workers (id, name, reads_format, registered_at, beat_at)
                 SELECT $4, $1, $2, now, now FROM (
                     SELECT clock_ms(greatest($3, (SELECT max(beat_at) FROM workers WHERE state < 2))) AS now) AS clock
                 RETURNING id, beat_at",
                &[
                    (&info.name, Type::TEXT),
                    (&i16::from(info.reads_format), Type::INT2),
                    (&self.inner.clock.get(), Type::INT8),
                    (&drawn.cast_signed(), Type::INT8),
                ],
            )
            .await?
            .ok_or_else(|| StoreError::Unavailable("the worker was not registered".to_owned()))?;
        self.inner.clock.raise(get(&row, 1)?);
        let worker = WorkerId(get(&row, 0)?);
        self.inner.vitals.born(worker);
        Ok(worker)
    }

    async fn beat(&self, worker: WorkerId) -> Result<Beat> {
        // The session holds the lock from its first beat to its end; asked for again, it is only counted.
        let row = self
            .inner
            .beat
            .row(
                "UPDATE workers SET beats = beats + 1, beat_at = clock_ms($2),
                     session = CASE WHEN $4 AND pg_try_advisory_lock_shared(id) THEN pg_postmaster_start_time() END
                 WHERE id = $1 AND state = $3
                 RETURNING beat_at, beats",
                &[
                    (&worker.0, Type::INT8),
                    (&self.inner.clock.get(), Type::INT8),
                    (&ALIVE, Type::INT2),
                    (&!self.inner.beat.is_shared(), Type::BOOL),
                ],
            )
            .await?;
        let Some(row) = row else { return self.missed_beat(worker, None).await };
        let beats = get(&row, 1)?;
        match self.inner.vitals.beaten(worker, beats) {
            true => Ok(Beat::Alive { now: self.inner.clock.raise(get(&row, 0)?) }),
            false => self.missed_beat(worker, Some(beats)).await,
        }
    }

    async fn observe_workers(&self) -> Result<Vec<Observed>> {
        // Whoever beats is not asked for: with many workers, of which each observes all, that would be many locks.
        let sql =
            "SELECT id, beats, CASE WHEN session = pg_postmaster_start_time() AND beat_at < clock_ms($2) - $3
                                          THEN pg_try_advisory_xact_lock(id) ELSE false END
                   FROM workers WHERE state < 2 AND state = $1 ORDER BY id";
        let params: [Param<'_>; 3] =
            [(&ALIVE, Type::INT2), (&self.inner.clock.get(), Type::INT8), (&SILENT_MS, Type::INT8)];
        let rows = self.inner.write.rows(sql, &params).await?;
        let observed = |row: &tokio_postgres::Row| {
            Ok(Observed { worker: WorkerId(get(row, 0)?), beats: get(row, 1)?, parted: get(row, 2)? })
        };
        rows.iter().map(observed).collect()
    }

    async fn mark_dead(&self, worker: WorkerId, beats: i64) -> Result<bool> {
        let marked = self
            .inner
            .write
            .row(
                "UPDATE workers SET state = $3 WHERE id = $1 AND beats = $2 AND state = $4 RETURNING id",
                &[(&worker.0, Type::INT8), (&beats, Type::INT8), (&DEAD, Type::INT2), (&ALIVE, Type::INT2)],
            )
            .await?;
        Ok(marked.is_some())
    }

    async fn take_over(&self, limit: u32) -> Result<u32> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let taken: i32 = self
            .number(
                "SELECT take_over($1, $2)",
                &[(&self.inner.clock.get(), Type::INT8), (&limit, Type::INT4)],
            )
            .await?;
        Ok(taken.unsigned_abs())
    }

    async fn claim(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>> {
        let claimed = self.claim_tasks(worker, wanted).await?;
        self.inner.positions.claimed(worker, &claimed);
        Ok(claimed)
    }

    async fn suspects(&self) -> Result<Suspects> {
        let mut suspects = Suspects::default();
        let mut poisoned = false;
        let counts = "SELECT crashes, count(*) FROM ready WHERE crashes >= 2 GROUP BY crashes";
        for row in &self.inner.write.rows(counts, &[]).await? {
            match Isolation::of(get(row, 0)?) {
                None => poisoned = true,
                Some(isolation) => *suspects.ready.entry(isolation).or_default() += count(row, 1)?,
            }
        }
        if poisoned {
            let poison = "SELECT n.id, t.id FROM ready r
                          JOIN tasks t ON t.num = r.task JOIN tenants n ON n.num = r.tenant
                          WHERE r.crashes >= 2 AND r.crashes >= $1 ORDER BY r.task LIMIT 256";
            for row in &self.inner.write.rows(poison, &[(&POISON, Type::INT2)]).await? {
                suspects.poison.push((TenantId(get(row, 0)?), TaskId(get(row, 1)?)));
            }
        }
        Ok(suspects)
    }

    async fn crashed(&self, name: String, isolation: Isolation) -> Result<()> {
        let crashes = isolation.seen_crashing();
        let params: [Param<'_>; 2] = [(&name, Type::TEXT), (&crashes, Type::INT2)];
        self.inner.write.rows("SELECT crashed($1, $2)", &params).await.map(drop)
    }

    async fn held(&self, worker: WorkerId) -> Result<Vec<TaskId>> {
        let sql = "SELECT id FROM held WHERE worker = $1";
        let rows = self.inner.write.rows(sql, &[(&worker.0, Type::INT8)]).await?;
        rows.iter().map(|row| get(row, 0).map(TaskId)).collect()
    }

    async fn release(&self, worker: WorkerId, tasks: Vec<TaskId>) -> Result<()> {
        self.inner.positions.released(worker, &tasks);
        let tasks: Vec<Uuid> = tasks.into_iter().map(|task| task.0).collect();
        self.inner
            .write
            .rows(
                "SELECT release_tasks($1, $2, $3)",
                &[(&self.inner.clock.get(), Type::INT8), (&worker.0, Type::INT8), (&tasks, Type::UUID_ARRAY)],
            )
            .await
            .map(drop)
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<()> {
        self.forget_worker(worker);
        let sql = "UPDATE workers SET state = $2 WHERE id = $1 AND state = $3";
        let params = [(&worker.0 as _, Type::INT8), (&DEAD as _, Type::INT2), (&ALIVE as _, Type::INT2)];
        self.inner.write.rows(sql, &params).await.map(drop)
    }

    async fn wake_due(&self, limit: u32) -> Result<u32> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let woken: i32 = self
            .number("SELECT wake_due($1, $2)", &[(&self.inner.clock.get(), Type::INT8), (&limit, Type::INT4)])
            .await?;
        Ok(woken.unsigned_abs())
    }

    async fn next_due_in(&self) -> Result<Option<u64>> {
        let due: Option<i64> = self
            .number(
                "SELECT min(wake_at) - clock_ms($1) FROM tasks WHERE wake_at IS NOT NULL",
                &[(&self.inner.clock.get(), Type::INT8)],
            )
            .await?;
        Ok(due.map(|due| u64::try_from(due).unwrap_or(0)))
    }

    async fn ready_by_priority(&self) -> Result<Vec<ReadyClass>> {
        let sql = "SELECT priority::int, count(*), clock_ms($1) - min(ready_at) FROM ready GROUP BY priority";
        let rows = self.inner.read.rows(sql, &[(&self.inner.clock.get(), Type::INT8)]).await?;
        let class = |row: &tokio_postgres::Row| {
            let oldest_ms = u64::try_from(get::<i64>(row, 2)?).unwrap_or(0);
            Ok(ReadyClass { priority: small(row, 0)?, tasks: count(row, 1)?, oldest_ms })
        };
        rows.iter().map(class).collect()
    }

    async fn now(&self) -> Result<i64> {
        let sql = "SELECT clock_ms($1)";
        let row = self.inner.read.row(sql, &[(&self.inner.clock.get(), Type::INT8)]).await?;
        let row = row.ok_or_else(|| StoreError::Unavailable("the database gave no answer".to_owned()))?;
        Ok(self.inner.clock.raise(get(&row, 0)?))
    }
}
