//! Tasks that do not move although they should.

use std::time::Duration;

use tokio_postgres::types::Type;

use agenticai_domain::ids::{TaskId, TenantId};

use super::PostgresStore;
use super::rows::get;
use crate::{Result, StoreError};

/// Tasks that one statement looks at for [`PostgresStore::mend`].
const SLICE: i32 = 20_000;

/// Why a task counts as stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StuckReason {
    /// It is ready, workers live, and none has taken it.
    Unclaimed,
    /// A live worker holds it and has committed nothing.
    Silent,
    /// It was in no queue, in nobody's hands and waited for nothing.
    NoPlace,
    /// It waited for a child that had ended.
    ChildEnded,
}

impl StuckReason {
    /// Every reason, in the order of the database's numbers for them.
    pub const ALL: [Self; 4] = [Self::Unclaimed, Self::Silent, Self::NoPlace, Self::ChildEnded];

    /// As it stands in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unclaimed => "unclaimed",
            Self::Silent => "silent",
            Self::NoPlace => "no_place",
            Self::ChildEnded => "child_ended",
        }
    }

    fn of(number: i16) -> Result<Self> {
        let known = usize::try_from(number).ok().and_then(|place| Self::ALL.get(place).copied());
        known.ok_or_else(|| StoreError::Unreadable(format!("{number} is no reason")))
    }
}

/// A task that is stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task: TaskId,
    /// Why it counts as stuck.
    pub reason: StuckReason,
    /// For how long nothing has happened.
    pub since: Duration,
}

/// A task that was stuck and goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task: TaskId,
    /// What was wrong.
    pub reason: StuckReason,
}

impl PostgresStore {
    /// Up to `most` ready tasks that no worker has taken for longer than `bound`, and as many that a worker holds in
    /// silence; the longest first. Nothing is changed: both may be right, where there is too much work or a call is long.
    pub async fn stuck(&self, bound: Duration, most: u32) -> Result<Vec<Stuck>> {
        let bound = i64::try_from(bound.as_millis()).unwrap_or(i64::MAX);
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let params =
            [(&self.inner.clock.get() as _, Type::INT8), (&bound as _, Type::INT8), (&most as _, Type::INT4)];
        let sql = "SELECT tenant, task, reason, for_ms FROM stuck_tasks($1, $2, $3)";
        let rows = self.inner.read.rows(sql, &params).await?;
        rows.iter()
            .map(|row| {
                let (tenant, task) = (TenantId(get(row, 0)?), TaskId(get(row, 1)?));
                let since = Duration::from_millis(u64::try_from(get::<i64>(row, 3)?).unwrap_or(0));
                Ok(Stuck { tenant, task, reason: StuckReason::of(get(row, 2)?)?, since })
            })
            .collect()
    }

    /// Looks at a slice of all tasks, from where `from` says, for such as no worker can ever come to, and lets them go
    /// on. Answers those, and where the next slice begins: 0 after the last one.
    pub async fn mend(&self, from: i64) -> Result<(Vec<Mended>, i64)> {
        let params =
            [(&self.inner.clock.get() as _, Type::INT8), (&from as _, Type::INT8), (&SLICE as _, Type::INT4)];
        let sql = "SELECT tenant, task, reason, upto FROM mend_tasks($1, $2, $3)";
        let (mut mended, mut next) = (Vec::new(), 0);
        for row in &self.inner.write.rows(sql, &params).await? {
            match get::<Option<i16>>(row, 2)? {
                Some(reason) => mended.push(Mended {
                    tenant: TenantId(get(row, 0)?),
                    task: TaskId(get(row, 1)?),
                    reason: StuckReason::of(reason)?,
                }),
                None => next = get::<Option<i64>>(row, 3)?.unwrap_or(0),
            }
        }
        Ok((mended, next))
    }
}
