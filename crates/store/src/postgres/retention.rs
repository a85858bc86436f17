//! Partitions made in time, and the end of tasks whose retention is over.

use tokio_postgres::types::Type;

use super::PostgresStore;
use super::connection::Param;
use super::rows::get;
use crate::{Result, StoreError};

/// Weeks for which partitions are made beforehand.
const WEEKS_AHEAD: i32 = 2;
/// Tasks that one statement moves or removes.
const CHUNK: i32 = 500;

/// What one round of housekeeping did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Housekept {
    /// Buckets that have partitions now.
    pub made: u32,
    /// Tasks that were moved on, because they have not ended or ended too lately.
    pub rehomed: u64,
    /// Tasks that are gone.
    pub removed: u64,
    /// Buckets that are gone.
    pub dropped: u32,
    /// Large payloads that are gone.
    pub blobs: u64,
}

impl PostgresStore {
    /// Makes partitions for the weeks to come, and removes what is past its retention. Several processes may do it at
    /// once. An error leaves what was done until then; the next round goes on.
    pub async fn housekeep(&self) -> Result<Housekept> {
        self.housekeep_at(0).await
    }

    /// Like [`Self::housekeep`], at a time in milliseconds since 1970 where that is later than now: for tests, which
    /// cannot wait for weeks.
    pub async fn housekeep_at(&self, time: i64) -> Result<Housekept> {
        let time = time.max(self.inner.clock.get());
        let at: Param<'_> = (&time, Type::INT8);
        let mut done = Housekept {
            made: self
                .int("SELECT make_partitions($1, $2)", &[at.clone(), (&WEEKS_AHEAD, Type::INT4)])
                .await?,
            ..Housekept::default()
        };
        let expired = self.inner.write.rows("SELECT expired_buckets($1)", std::slice::from_ref(&at)).await?;
        for row in &expired {
            let bucket: i32 = get(row, 0)?;
            let portion = [at.clone(), (&bucket, Type::INT4), (&CHUNK, Type::INT4)];
            loop {
                let moved = self.int("SELECT rehome_tasks($1, $2, $3)", &portion).await?;
                done.rehomed += u64::from(moved);
                if moved == 0 {
                    break;
                }
            }
            loop {
                let removed = self.int("SELECT remove_tasks($1, $2, $3)", &portion).await?;
                done.removed += u64::from(removed);
                if removed == 0 {
                    break;
                }
            }
            let dropped = self.inner.write.row("SELECT drop_bucket($1)", &[(&bucket, Type::INT4)]).await?;
            done.dropped += u32::from(dropped.map_or(Ok(false), |row| get(&row, 0))?);
        }
        while self.int("SELECT forget_task_budgets($1, $2)", &[at.clone(), (&CHUNK, Type::INT4)]).await? > 0 {
        }
        done.blobs = self.collect_blobs(time).await?;
        Ok(done)
    }

    /// Sets how many days after their end the tasks of a tenant are kept that are created from now on; `false` where
    /// there is no tenant of that name.
    pub async fn set_retention(&self, tenant: &str, days: u32) -> Result<bool> {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let sql = "SELECT set_retention($1, $2)";
        let row = self.inner.write.row(sql, &[(&tenant, Type::TEXT), (&days, Type::INT4)]).await?;
        row.map_or(Ok(false), |row| get(&row, 0))
    }

    /// The number that a function answers.
    pub(super) async fn int(&self, sql: &str, params: &[Param<'_>]) -> Result<u32> {
        let row = self.inner.write.row(sql, params).await?;
        let number: i32 = get(&row.ok_or_else(|| StoreError::Unavailable("no answer".to_owned()))?, 0)?;
        Ok(number.unsigned_abs())
    }
}
