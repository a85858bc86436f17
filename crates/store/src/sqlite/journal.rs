//! Reading journals, and what lies beside them.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::inbox::InboxMessage;
use agenticai_domain::journal::Recorded;
use agenticai_domain::outcome::ToolOutcome;
use agenticai_domain::task::TaskStatus;

use super::rows::{self, number, status};
use super::writer::Lane;
use super::{SqliteStore, append, inbox};
use crate::{Append, AppendOutcome, Journal, Result, StoreError, WorkerId};

#[async_trait]
impl Journal for SqliteStore {
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
        let raw: Vec<(u64, u32, i64, Vec<u8>)> = self
            .inner
            .readers
            .call(move |conn| {
                let rows = conn
                    .prepare_cached(
                        "SELECT j.seq, j.epoch, j.at, j.entry FROM journal j
                         WHERE j.task = (SELECT t.num FROM tasks t JOIN tenants n ON n.num = t.tenant
                                         WHERE t.id = ?1 AND n.id = ?2)
                           AND j.seq > ?3
                         ORDER BY j.seq LIMIT ?4",
                    )?
                    .query_map(params![task.0.as_bytes(), tenant.0.as_bytes(), after, limit], |row| {
                        Ok((rows::count(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                    })?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(rows)
            })
            .await?;
        let mut entries = Vec::with_capacity(raw.len());
        for (seq, epoch, at, column) in raw {
            let entry = self.inner.payloads.load(tenant, &column).await.map_err(|error| match error {
                StoreError::Unreadable(why) => {
                    StoreError::Unreadable(format!("task {task}, entry {seq}: {why}"))
                }
                other => other,
            })?;
            entries.push(Recorded { seq, epoch, at, entry });
        }
        Ok(entries)
    }

    async fn last_seqs(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, u64, TaskStatus)>> {
        self.inner
            .readers
            .call(move |conn| {
                let mut statement = conn.prepare_cached(
                    "SELECT coalesce((SELECT max(seq) FROM journal WHERE task = t.num), 0), t.status
                     FROM tasks t WHERE t.id = ?1",
                )?;
                let mut found = Vec::with_capacity(tasks.len());
                for task in tasks {
                    let row = statement
                        .query_row([task.0.as_bytes()], |row| Ok((rows::count(row, 0)?, status(row, 1)?)))
                        .optional()?;
                    found.extend(row.map(|(seq, status)| (task, seq, status)));
                }
                Ok(found)
            })
            .await
    }

    async fn inbox(&self, task: TaskId, after: u64) -> Result<Vec<InboxMessage>> {
        inbox::read(self, task, after).await
    }

    async fn keep_late_result(&self, task: TaskId, epoch: u32, outcome: ToolOutcome) -> Result<()> {
        let text = crate::journal::late_result_text(&outcome)?;
        let tenant = self.tenant_of(task).await?;
        let result = self.inner.payloads.keep(tenant, Some(task), &text).await?;
        let step = outcome.step.to_string();
        self.inner
            .writer
            .call(Lane::Work, result.len(), move |tx| {
                tx.execute(
                    "INSERT INTO late_results (tenant, task, epoch, step, at, result)
                     SELECT tenant, num, ?2, ?3, ?4, ?5 FROM tasks WHERE id = ?1",
                    params![task.0.as_bytes(), epoch, step, tx.now, result],
                )
                .map(drop)
            })
            .await
    }

    async fn late_results(&self, tenant: TenantId, task: TaskId) -> Result<Vec<(u32, StepId, String)>> {
        let raw: Vec<(u32, String, Vec<u8>)> = self
            .inner
            .readers
            .call(move |conn| {
                let rows = conn
                    .prepare_cached(
                        "SELECT l.epoch, l.step, l.result FROM late_results l
                         JOIN tasks t ON t.num = l.task JOIN tenants n ON n.num = t.tenant
                         WHERE t.id = ?1 AND n.id = ?2 ORDER BY l.num",
                    )?
                    .query_map(params![task.0.as_bytes(), tenant.0.as_bytes()], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(rows)
            })
            .await?;
        let mut results = Vec::with_capacity(raw.len());
        for (epoch, step, column) in raw {
            let step = step.parse().map_err(StoreError::Unreadable)?;
            results.push((epoch, step, self.inner.payloads.load(tenant, &column).await?));
        }
        Ok(results)
    }
}
