//! Reading journals, and what lies beside them.

use async_trait::async_trait;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::inbox::InboxMessage;
use agenticai_domain::journal::Recorded;
use agenticai_domain::outcome::ToolOutcome;
use agenticai_domain::task::TaskStatus;

use super::rows::{count, get, number, small, status};
use super::{PostgresStore, append, inbox};
use crate::{Append, AppendOutcome, Journal, Result, StoreError, WorkerId};

#[async_trait]
impl Journal for PostgresStore {
    async fn append(&self, worker: WorkerId, runs: Vec<Append>) -> Result<Vec<AppendOutcome>> {
        append::append(self, worker, runs).await
    }

    async fn read_journal(
        &self,
        tenant: TenantId,
        task: TaskId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Recorded>> {
        let Ok(after) = number(after) else { return Ok(Vec::new()) };
        let rows = self
            .inner
            .read
            .rows(
                "SELECT j.seq, j.epoch, j.at, j.entry
                 FROM tasks t JOIN tenants n ON n.num = t.tenant
                 JOIN journal j ON j.task = t.num AND j.bucket = t.bucket
                 WHERE t.id = $1 AND n.id = $2 AND j.seq > $3
                 ORDER BY j.seq LIMIT $4",
                &[
                    (&task.0, Type::UUID),
                    (&tenant.0, Type::UUID),
                    (&after, Type::INT8),
                    (&i64::from(limit), Type::INT8),
                ],
            )
            .await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq = count(row, 0)?;
            let entry =
                self.inner.payloads.load(tenant, get(row, 3)?).await.map_err(|error| match error {
                    StoreError::Unreadable(why) => {
                        StoreError::Unreadable(format!("task {task}, entry {seq}: {why}"))
                    }
                    other => other,
                })?;
            entries.push(Recorded { seq, epoch: small(row, 1)?, at: get(row, 2)?, entry });
        }
        Ok(entries)
    }

    async fn last_seqs(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, u64, TaskStatus)>> {
        let tasks: Vec<Uuid> = tasks.into_iter().map(|task| task.0).collect();
        let rows = self
            .inner
            .read
            .rows(
                "SELECT t.id,
                        coalesce((SELECT j.seq FROM journal j WHERE j.task = t.num AND j.bucket = t.bucket
                                  ORDER BY j.seq DESC LIMIT 1), 0),
                        CASE WHEN h.id IS NOT NULL THEN 1::smallint ELSE t.status END
                 FROM tasks t LEFT JOIN held h ON h.id = t.id AND t.status = 0 WHERE t.id = ANY ($1)",
                &[(&tasks, Type::UUID_ARRAY)],
            )
            .await?;
        rows.iter().map(|row| Ok((TaskId(get(row, 0)?), count(row, 1)?, status(row, 2)?))).collect()
    }

    async fn inbox(&self, task: TaskId, after: u64) -> Result<Vec<InboxMessage>> {
        inbox::read(self, task, after).await
    }

    async fn keep_late_result(&self, task: TaskId, epoch: u32, outcome: ToolOutcome) -> Result<()> {
        let text = crate::journal::late_result_text(&outcome)?;
        let tenant = self.tenant_of(task).await?;
        let result = self.inner.payloads.keep(tenant, Some(task), &text).await?;
        self.inner
            .write
            .rows(
                "INSERT INTO late_results (tenant, task, epoch, step, at, result)
                 SELECT tenant, num, $2, $3, clock_ms($5), $4 FROM tasks WHERE id = $1",
                &[
                    (&task.0, Type::UUID),
                    (&i32::try_from(epoch).unwrap_or(i32::MAX), Type::INT4),
                    (&outcome.step.to_string(), Type::TEXT),
                    (&result, Type::BYTEA),
                    (&self.inner.clock.get(), Type::INT8),
                ],
            )
            .await
            .map(drop)
    }

    async fn late_results(&self, tenant: TenantId, task: TaskId) -> Result<Vec<(u32, StepId, String)>> {
        let rows = self
            .inner
            .read
            .rows(
                "SELECT l.epoch, l.step, l.result FROM late_results l
                 JOIN tasks t ON t.num = l.task JOIN tenants n ON n.num = t.tenant
                 WHERE t.id = $1 AND n.id = $2 ORDER BY l.num",
                &[(&task.0, Type::UUID), (&tenant.0, Type::UUID)],
            )
            .await?;
        let mut results = Vec::with_capacity(rows.len());
        for row in &rows {
            let step = get::<&str>(row, 1)?.parse().map_err(StoreError::Unreadable)?;
            results.push((small(row, 0)?, step, self.inner.payloads.load(tenant, get(row, 2)?).await?));
        }
        Ok(results)
    }
}
