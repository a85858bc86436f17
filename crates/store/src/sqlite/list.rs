//! Tasks as rows: looking them up, listing and counting them.

use async_trait::async_trait;
use rusqlite::types::Value as Column;
use rusqlite::{OptionalExtension, params, params_from_iter};

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::inbox::InboxBody;
use agenticai_domain::task::{End, TaskStatus};
use agenticai_domain::usage::Spend;

use super::rows::{self, RawTask, status_number};
use super::{SqliteStore, create, ends, inbox};
use crate::{
    CreateTask, CreateTaskOutcome, DeliverOutcome, EndOutcome, Page, Result, StoreError, TaskFilter, TaskRow,
    Tasks,
};

#[async_trait]
impl Tasks for SqliteStore {
    async fn create_task(&self, new: CreateTask) -> Result<CreateTaskOutcome> {
        create::create_task(self, new).await
    }

    async fn task_by_key(&self, tenant: TenantId, key: String) -> Result<Option<(TaskRow, [u8; 32])>> {
        create::task_by_key(self, tenant, key).await
    }

    async fn task(&self, tenant: TenantId, id: TaskId) -> Result<Option<TaskRow>> {
        self.read_task(tenant, id).await
    }

    async fn list_tasks(
        &self,
        tenant: TenantId,
        filter: TaskFilter,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<TaskRow>> {
        let limit = limit.max(1);
        let before = match cursor {
            None => None,
            // The cursor is the last task of the page before: a number would tell a tenant how many others create.
            Some(text) => Some(text.parse::<TaskId>().map_err(|_| no_cursor(&text))?),
        };
        let raw = self
            .inner
            .readers
            .call(move |conn| {
                let before = match before {
                    None => i64::MAX,
                    Some(id) => conn
                        .prepare_cached(
                            "SELECT t.num FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = ?1 AND n.id = ?2",
                        )?
                        .query_row(params![id.0.as_bytes(), tenant.0.as_bytes()], |row| row.get(0))
                        .optional()?
                        .ok_or_else(|| no_cursor(&id.to_string()))?,
                };
                let (sql, columns) = page(tenant, &filter, before, limit);
                let rows = conn
                    .prepare_cached(&sql)?
                    .query_map(params_from_iter(columns), RawTask::read)?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                Ok(rows)
            })
            .await?;
        let more = raw.len() > limit as usize;
        let mut items = Vec::with_capacity(raw.len());
        for raw in raw.into_iter().take(limit as usize) {
            items.push(raw.load(&self.inner.payloads).await?);
        }
        let next_cursor = if more { items.last().map(|row| row.head.id.to_string()) } else { None };
        Ok(Page { items, next_cursor })
    }

    async fn count_tasks(&self, tenant: TenantId, filter: TaskFilter) -> Result<u64> {
        self.inner
            .readers
            .call(move |conn| {
                let mut columns = Vec::new();
                let parts: Vec<String> = statuses(&filter)
                    .map(|status| {
                        format!("(SELECT count(*) {})", matching(tenant, &filter, status, &mut columns))
                    })
                    .collect();
                let sql = format!("SELECT {}", parts.join(" + "));
                Ok(conn
                    .prepare_cached(&sql)?
                    .query_row(params_from_iter(columns), |row| rows::count(row, 0))?)
            })
            .await
    }

    async fn end_task(
        &self,
        tenant: TenantId,
        id: TaskId,
        seq: u64,
        end: End,
        spend: Spend,
    ) -> Result<EndOutcome> {
        ends::end_task(self, tenant, id, seq, end, spend).await
    }

    async fn deliver(
        &self,
        tenant: TenantId,
        id: TaskId,
        dedupe: String,
        body: InboxBody,
    ) -> Result<DeliverOutcome> {
        inbox::deliver(self, tenant, id, dedupe, body).await
    }

    async fn orphans(&self, limit: u32) -> Result<Vec<(TenantId, TaskId)>> {
        self.inner
            .readers
            .call(move |conn| {
                let rows = conn
                    .prepare_cached(
                        "SELECT n.id, c.id FROM tasks c
                         JOIN tasks p ON p.num = c.parent AND p.completed_at IS NOT NULL
                         JOIN tenants n ON n.num = c.tenant
                         WHERE c.parent IS NOT NULL AND c.completed_at IS NULL LIMIT ?1",
                    )?
                    .query_map([limit], |row| Ok((TenantId(rows::id(row, 0)?), TaskId(rows::id(row, 1)?))))?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(rows)
            })
            .await
    }
}

impl SqliteStore {
    pub(super) async fn read_task(&self, tenant: TenantId, id: TaskId) -> Result<Option<TaskRow>> {
        let raw = self
            .inner
            .readers
            .call(move |conn| {
                let sql = format!("{} WHERE t.id = ?1 AND n.id = ?2", RawTask::SELECT);
                let row = conn
                    .prepare_cached(&sql)?
                    .query_row(params![id.0.as_bytes(), tenant.0.as_bytes()], RawTask::read)
                    .optional()?;
                Ok(row)
            })
            .await?;
        match raw {
            None => Ok(None),
            Some(raw) => Ok(Some(raw.load(&self.inner.payloads).await?)),
        }
    }

    /// The tenant of a task: for blobs of a worker's payloads.
    pub(super) async fn tenant_of(&self, task: TaskId) -> Result<TenantId> {
        self.inner
            .readers
            .call(move |conn| {
                conn.prepare_cached(
                    "SELECT n.id FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = ?1",
                )?
                .query_row([task.0.as_bytes()], |row| Ok(TenantId(rows::id(row, 0)?)))
                .optional()?
                .ok_or_else(|| StoreError::Refused(format!("there is no task {task}")))
            })
            .await
    }
}

fn no_cursor(text: &str) -> StoreError {
    StoreError::Refused(format!("`{text}` is no cursor of this list: leave it out to begin anew"))
}

/// The statuses that a filter admits, each once.
fn statuses(filter: &TaskFilter) -> impl Iterator<Item = TaskStatus> + '_ {
    TaskStatus::ALL.into_iter().filter(|status| filter.status.is_empty() || filter.status.contains(status))
}

/// `FROM … WHERE …` for one status of a filter. One status at a time, because then every index ends in the order of
/// creation: a page is read from its top, however many tasks lie below it, and a count reads the index alone.
fn matching(tenant: TenantId, filter: &TaskFilter, status: TaskStatus, columns: &mut Vec<Column>) -> String {
    let mut bind = |column: Column| {
        columns.push(column);
        format!("?{}", columns.len())
    };
    let blob = |id: uuid::Uuid| Column::Blob(id.as_bytes().to_vec());
    let mut sql = format!(
        "FROM tasks m WHERE m.tenant = (SELECT num FROM tenants WHERE id = {}) AND m.status = {}",
        bind(blob(tenant.0)),
        status_number(status)
    );
    if let Some(agent) = filter.agent {
        sql.push_str(&format!(" AND m.agent = (SELECT num FROM agents WHERE id = {})", bind(blob(agent.0))));
    }
    if let Some(parent) = filter.parent {
        sql.push_str(&format!(" AND m.parent = (SELECT num FROM tasks WHERE id = {})", bind(blob(parent.0))));
    }
    if let Some(thread) = filter.thread {
        sql.push_str(&format!(
            " AND m.thread = (SELECT num FROM threads WHERE id = {})",
            bind(blob(thread.0))
        ));
    }
    if filter.paused {
        sql.push_str(" AND m.paused_at IS NOT NULL");
    }
    for (key, value) in &filter.metadata {
        // A walk over the members, not a path: a key may hold whatever a path gives a meaning to.
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM task_inputs f, json_each(f.metadata) e
                          WHERE f.task = m.num AND e.key = {} AND e.type = 'text' AND e.value = {})",
            bind(Column::Text(key.clone())),
            bind(Column::Text(value.clone()))
        ));
    }
    sql
}

/// A page, newest first: the top of each status, merged; one row more than asked for, to know whether more follow.
fn page(tenant: TenantId, filter: &TaskFilter, before: i64, limit: u32) -> (String, Vec<Column>) {
    let mut columns = vec![Column::Integer(before), Column::Integer(i64::from(limit) + 1)];
    let tops: Vec<String> = statuses(filter)
        .map(|status| {
            let matching = matching(tenant, filter, status, &mut columns);
            format!("SELECT * FROM (SELECT m.num {matching} AND m.num < ?1 ORDER BY m.num DESC LIMIT ?2)")
        })
        .collect();
    let sql = format!(
        "{} WHERE t.num IN (SELECT num FROM ({}) ORDER BY num DESC LIMIT ?2) ORDER BY t.num DESC",
        RawTask::SELECT,
        tops.join(" UNION ALL ")
    );
    (sql, columns)
}
