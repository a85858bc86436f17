//! Usage: sums that a scheduler has made.

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{AgentId, TenantId, UserId};

use super::PostgresStore;
use super::rows::{count, get, spend};
use crate::{Result, UsageBy, UsageSum, Usages};

#[async_trait]
impl Usages for PostgresStore {
    async fn usage(
        &self,
        tenant: TenantId,
        from: i64,
        until: i64,
        by: UsageBy,
        limit: u32,
    ) -> Result<Vec<UsageSum>> {
        let sql = "
            SELECT s.span, a.id, a.name, s.by_user, s.completed, s.failed, s.cancelled, s.input, s.output, s.cached,
                   s.reasoning, s.cost, s.unpriced
            FROM (
                SELECT u.hour / $4 * $4 AS span, CASE WHEN $5 THEN u.agent END AS agent,
                       CASE WHEN $6 THEN nullif(u.\"user\", '00000000-0000-0000-0000-000000000000') END AS by_user,
                       sum(u.completed)::bigint AS completed, sum(u.failed)::bigint AS failed,
                       sum(u.cancelled)::bigint AS cancelled, sum(u.input_tokens)::bigint AS input,
                       sum(u.output_tokens)::bigint AS output, sum(u.cached_tokens)::bigint AS cached,
                       sum(u.reasoning_tokens)::bigint AS reasoning, sum(u.cost)::bigint AS cost,
                       sum(u.unpriced)::bigint AS unpriced
                FROM usage_hours u JOIN tenants n ON n.num = u.tenant
                WHERE n.id = $1 AND u.hour >= $2 AND u.hour < $3
                GROUP BY 1, 2, 3
            ) s LEFT JOIN agents a ON a.num = s.agent
            ORDER BY s.span, a.name, a.id, s.by_user LIMIT $7";
        let params = [
            (&tenant.0 as _, Type::UUID),
            (&from as _, Type::INT8),
            (&until as _, Type::INT8),
            (&by.span_ms as _, Type::INT8),
            (&by.agent as _, Type::BOOL),
            (&by.user as _, Type::BOOL),
            (&i64::from(limit) as _, Type::INT8),
        ];
        let rows = self.inner.read.rows(sql, &params).await?;
        rows.iter().map(sum).collect()
    }

    async fn roll_up_usage(&self, limit: u32) -> Result<u32> {
        let most = i32::try_from(limit).unwrap_or(i32::MAX);
        let looked_at: i32 = self.number("SELECT roll_up_usage($1)", &[(&most, Type::INT4)]).await?;
        Ok(looked_at.unsigned_abs())
    }
}

fn sum(row: &Row) -> Result<UsageSum> {
    let agent = match get::<Option<Uuid>>(row, 1)? {
        Some(id) => Some((AgentId(id), get(row, 2)?)),
        None => None,
    };
    Ok(UsageSum {
        from: get(row, 0)?,
        agent,
        user: get::<Option<Uuid>>(row, 3)?.map(UserId),
        completed: count(row, 4)?,
        failed: count(row, 5)?,
        cancelled: count(row, 6)?,
        spend: spend(row, 7)?,
        unpriced: count(row, 12)?,
    })
}
