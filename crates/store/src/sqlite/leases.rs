//! Workers and who advances which task.

use async_trait::async_trait;
use rusqlite::params;

use agenticai_domain::ids::TaskId;

use super::rows::{ALIVE, DEAD, DRAINED, PENDING, PRIORITY_MS, RUNNING};
use super::transaction::Tx;
use super::writer::Lane;
use super::{SqliteStore, budgets, claims, inbox};
use crate::{
    Beat, Claimed, Isolation, Leases, Observed, ReadyClass, Result, Suspects, Wanted, WorkerId, WorkerInfo,
};

#[async_trait]
impl Leases for SqliteStore {
    async fn register_worker(&self, info: WorkerInfo) -> Result<WorkerId> {
        let worker = self
            .inner
            .writer
            .call(Lane::Work, 0, move |tx| {
                tx.execute(
                    "INSERT INTO workers (name, reads_format, registered_at, state) VALUES (?1, ?2, ?3, ?4)",
                    params![info.name, info.reads_format, tx.now, ALIVE],
                )?;
                Ok(WorkerId(tx.inserted()))
            })
            .await?;
        self.inner.beats.add(worker);
        Ok(worker)
    }

    async fn beat(&self, worker: WorkerId) -> Result<Beat> {
        Ok(if self.inner.beats.beat(worker) {
            Beat::Alive { now: self.inner.clock.now() }
        } else {
            Beat::Dead
        })
    }

    async fn observe_workers(&self) -> Result<Vec<Observed>> {
        Ok(self.inner.beats.all())
    }

    async fn mark_dead(&self, worker: WorkerId, beats: i64) -> Result<bool> {
        if !self.inner.beats.stop(worker, Some(beats)) {
            return Ok(false);
        }
        self.bury(worker).await
    }

    async fn take_over(&self, limit: u32) -> Result<u32> {
        self.inner.writer.call(Lane::Work, 0, move |tx| take_over(tx, limit)).await
    }

    async fn claim(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>> {
        if wanted.suspects.is_some() {
            return Ok(Vec::new());
        }
        claims::claim(self, worker, wanted.limit).await
    }

    async fn suspects(&self) -> Result<Suspects> {
        Ok(Suspects::default())
    }

    async fn crashed(&self, _name: String, _isolation: Isolation) -> Result<()> {
        Ok(())
    }

    async fn held(&self, worker: WorkerId) -> Result<Vec<TaskId>> {
        self.inner
            .readers
            .call(move |conn| {
                let sql = "SELECT id FROM tasks
                           WHERE tenant IN (SELECT num FROM tenants) AND status = ?1 AND owner = ?2";
                let mut statement = conn.prepare_cached(sql)?;
                let ids = statement.query_map(params![RUNNING, worker.0], |row| row.get(0))?;
                ids.map(|id| Ok(TaskId(uuid::Uuid::from_bytes(id?)))).collect()
            })
            .await
    }

    async fn release(&self, worker: WorkerId, tasks: Vec<TaskId>) -> Result<()> {
        self.inner
            .writer
            .call(Lane::Work, 0, move |tx| {
                for task in &tasks {
                    tx.execute(
                        "UPDATE tasks SET status = ?3, owner = NULL, epoch = epoch + 1, ready_due = ?4 - priority * ?5
                         WHERE id = ?1 AND owner = ?2 AND status = ?6",
                        params![task.0.as_bytes(), worker.0, PENDING, tx.now, PRIORITY_MS, RUNNING],
                    )?;
                }
                Ok(())
            })
            .await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<()> {
        if self.inner.beats.stop(worker, None) {
            self.bury(worker).await?;
        }
        Ok(())
    }

    async fn wake_due(&self, limit: u32) -> Result<u32> {
        self.inner
            .writer
            .call(Lane::Work, 0, move |tx| {
                let due = tx.rows(
                    "SELECT num FROM tasks WHERE wake_at IS NOT NULL AND wake_at <= ?1 ORDER BY wake_at LIMIT ?2",
                    params![tx.now, limit],
                    |row| row.get::<_, i64>(0),
                )?;
                due.iter().try_for_each(|task| inbox::wake(tx, *task))?;
                Ok(due.len() as u32)
            })
            .await
    }

    async fn next_due_in(&self) -> Result<Option<u64>> {
        let due: Option<i64> = self
            .inner
            .readers
            .call(|conn| {
                let sql = "SELECT min(wake_at) FROM tasks WHERE wake_at IS NOT NULL";
                Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
            })
            .await?;
        let now = self.inner.clock.now();
        Ok(due.map(|due| u64::try_from(due.saturating_sub(now)).unwrap_or(0)))
    }

    async fn ready_by_priority(&self) -> Result<Vec<ReadyClass>> {
        let classes: Vec<(u8, u32, i64)> = self
            .inner
            .readers
            .call(|conn| {
                // The key of the queue is the time at which a task became ready less what its priority is worth.
                let sql = "SELECT priority, count(*), min(ready_due + priority * ?1) FROM tasks
                           WHERE ready_due IS NOT NULL GROUP BY priority";
                let rows = conn
                    .prepare_cached(sql)?
                    .query_map([PRIORITY_MS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(rows)
            })
            .await?;
        let now = self.inner.clock.now();
        let class = |(priority, tasks, oldest): (u8, u32, i64)| ReadyClass {
            priority,
            tasks: u64::from(tasks),
            oldest_ms: u64::try_from(now - oldest).unwrap_or(0),
        };
        Ok(classes.into_iter().map(class).collect())
    }

    async fn now(&self) -> Result<i64> {
        Ok(self.inner.clock.now())
    }
}

impl SqliteStore {
    /// Writes a death that was decided. `false` where it was written before.
    async fn bury(&self, worker: WorkerId) -> Result<bool> {
        let buried = self
            .inner
            .writer
            .call(Lane::Work, 0, move |tx| {
                tx.execute(
                    "UPDATE workers SET state = ?2 WHERE id = ?1 AND state = ?3",
                    params![worker.0, DEAD, ALIVE],
                )
            })
            .await?;
        self.inner.beats.remove(worker);
        Ok(buried > 0)
    }
}

/// Appends of a dead worker cannot be in flight here: they share this thread, and see its death before they write.
fn take_over(tx: &Tx<'_>, limit: u32) -> Result<u32> {
    let mut taken = 0;
    for worker in tx.rows("SELECT id FROM workers WHERE state = ?1", [DEAD], |row| row.get::<_, i64>(0))? {
        // Running tasks are found through the index by status, which begins with the tenant.
        let tasks = tx.rows(
            "SELECT num FROM tasks
             WHERE tenant IN (SELECT num FROM tenants) AND status = ?1 AND owner = ?2 LIMIT ?3",
            params![RUNNING, worker, limit - taken],
            |row| row.get::<_, i64>(0),
        )?;
        for task in &tasks {
            tx.execute(
                "UPDATE tasks SET status = ?2, owner = NULL, epoch = epoch + 1, ready_due = ?3 - priority * ?4
                 WHERE num = ?1",
                params![task, PENDING, tx.now, PRIORITY_MS],
            )?;
        }
        taken += tasks.len() as u32;
        if taken == limit {
            return Ok(taken);
        }
        // It is given no task any more, so this holds for good.
        budgets::settle(tx, worker)?;
        tx.execute("UPDATE workers SET state = ?2 WHERE id = ?1", params![worker, DRAINED])?;
    }
    Ok(taken)
}
