//! Usage: summed up when it is asked, for nothing is ever removed.

use async_trait::async_trait;
use rusqlite::{Row, params};

use agenticai_domain::ids::{AgentId, TenantId, UserId};

use super::SqliteStore;
use super::rows::{count, optional_id, spend};
use crate::{Result, UsageBy, UsageSum, Usages};

const SQL: &str = "
    SELECT s.span, a.id, a.name, s.by_user, s.completed, s.failed, s.cancelled, s.input, s.output, s.cached, s.reasoning,
           s.cost, s.unpriced
    FROM (
        SELECT t.completed_at / ?4 * ?4 AS span, CASE WHEN ?5 THEN t.agent END AS agent,
               CASE WHEN ?6 THEN t.created_by END AS by_user, sum(t.status = 3) AS completed, sum(t.status = 4) AS failed,
               sum(t.status = 5) AS cancelled, sum(t.input_tokens * t.counts) AS input,
               sum(t.output_tokens * t.counts) AS output, sum(t.cached_tokens * t.counts) AS cached,
               sum(t.reasoning_tokens * t.counts) AS reasoning, coalesce(sum(t.cost * t.counts), 0) AS cost,
               sum(t.counts AND t.cost IS NULL) AS unpriced
        FROM (
            -- What a task consumed that another one called is in that one's sum, unless it outlived it.
            SELECT t.*, t.parent IS NULL OR coalesce(t.completed_at > p.completed_at, 0) AS counts
            FROM tasks t LEFT JOIN tasks p ON p.num = t.parent
            WHERE t.tenant = (SELECT num FROM tenants WHERE id = ?1) AND t.completed_at >= ?2 AND t.completed_at < ?3
        ) t
        GROUP BY 1, 2, 3
    ) s LEFT JOIN agents a ON a.num = s.agent
    ORDER BY s.span, a.name, a.id, s.by_user LIMIT ?7";

#[async_trait]
impl Usages for SqliteStore {
    async fn usage(
        &self,
        tenant: TenantId,
        from: i64,
        until: i64,
        by: UsageBy,
        limit: u32,
    ) -> Result<Vec<UsageSum>> {
        self.inner
            .readers
            .call(move |conn| {
                let params = params![tenant.0.as_bytes(), from, until, by.span_ms, by.agent, by.user, limit];
                let sums =
                    conn.prepare_cached(SQL)?.query_map(params, sum)?.collect::<rusqlite::Result<_>>()?;
                Ok(sums)
            })
            .await
    }

    async fn roll_up_usage(&self, _limit: u32) -> Result<u32> {
        Ok(0)
    }
}

fn sum(row: &Row<'_>) -> rusqlite::Result<UsageSum> {
    let agent = match optional_id(row, 1)? {
        Some(id) => Some((AgentId(id), row.get(2)?)),
        None => None,
    };
    Ok(UsageSum {
        from: row.get(0)?,
        agent,
        user: optional_id(row, 3)?.map(UserId),
        completed: count(row, 4)?,
        failed: count(row, 5)?,
        cancelled: count(row, 6)?,
        spend: spend(row, 7)?,
        unpriced: count(row, 12)?,
    })
}
