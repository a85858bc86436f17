//! Tasks as rows: looking them up, listing, counting, ending and telling them.

use async_trait::async_trait;
use tokio_postgres::types::{ToSql, Type};

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::inbox::InboxBody;
use agenticai_domain::journal::{Ended, Entry};
use agenticai_domain::task::{End, TaskStatus};
use agenticai_domain::usage::Spend;

use super::columns::label;
use super::connection::Param;
use super::rows::{RawTask, SpendColumns, count, get, number, status};
use super::{PostgresStore, create, inbox};
use crate::status::status_number;
use crate::{
    CreateTask, CreateTaskOutcome, DeliverOutcome, EndOutcome, Page, Result, StoreError, TaskFilter, TaskRow,
    Tasks,
};

#[async_trait]
impl Tasks for PostgresStore {
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
            None => i64::MAX,
            Some(text) => self.cursor(tenant, &text).await?,
        };
        let mut query = Query::default();
        let sources: Vec<String> = query
            .matching(tenant, &filter)
            .into_iter()
            .map(|source| source.page(before, i64::from(limit) + 1))
            .collect();
        let sql = format!(
            "{} FROM (SELECT num FROM ({}) AS tops ORDER BY num DESC LIMIT {}) AS top JOIN tasks t ON t.num = top.num {}
             ORDER BY t.num DESC",
            RawTask::COLUMNS,
            sources.join(" UNION ALL "),
            i64::from(limit) + 1,
            RawTask::JOINS
        );
        let rows = self.inner.read.rows_once(&sql, &query.params()).await?;
        let more = rows.len() > limit as usize;
        let mut items = Vec::with_capacity(rows.len());
        for row in rows.iter().take(limit as usize) {
            items.push(RawTask::read(row)?.load(&self.inner.payloads).await?);
        }
        let next_cursor = if more { items.last().map(|row| row.head.id.to_string()) } else { None };
        Ok(Page { items, next_cursor })
    }

    async fn count_tasks(&self, tenant: TenantId, filter: TaskFilter) -> Result<u64> {
        let mut query = Query::default();
        let counts: Vec<String> =
            query.matching(tenant, &filter).into_iter().map(|source| source.count()).collect();
        let row =
            self.inner.read.rows_once(&format!("SELECT {}", counts.join(" + ")), &query.params()).await?;
        row.first().map_or(Ok(0), |row| count(row, 0))
    }

    async fn end_task(
        &self,
        tenant: TenantId,
        id: TaskId,
        seq: u64,
        end: End,
        spend: Spend,
    ) -> Result<EndOutcome> {
        let payloads = &self.inner.payloads;
        let outcome = payloads.keep(tenant, Some(id), &end).await?;
        let status_after = status_number(end.status());
        let entry = payloads.keep(tenant, Some(id), &Entry::Ended(Ended { end })).await?;
        let SpendColumns { tokens: [input, output, cached, reasoning], cost } = SpendColumns::of(&spend)?;
        let row = self
            .inner
            .write
            .row(
                "SELECT outcome, status FROM end_task($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                &[
                    (&self.inner.clock.get(), Type::INT8),
                    (&tenant.0, Type::UUID),
                    (&id.0, Type::UUID),
                    (&number(seq)?, Type::INT8),
                    (&status_after, Type::INT2),
                    (&entry, Type::BYTEA),
                    (&outcome, Type::BYTEA),
                    (&input, Type::INT8),
                    (&output, Type::INT8),
                    (&cached, Type::INT8),
                    (&reasoning, Type::INT8),
                    (&cost, Type::INT8),
                ],
            )
            .await?
            .ok_or_else(|| StoreError::Unavailable("the database gave no answer".to_owned()))?;
        Ok(match get::<i16>(&row, 0)? {
            0 => EndOutcome::Ended,
            1 => EndOutcome::Overtaken,
            2 => EndOutcome::AlreadyTerminal(status(&row, 1)?),
            _ => EndOutcome::NotFound,
        })
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
        let sql = "SELECT tenant, task FROM orphans($1)";
        let rows = self.inner.read.rows(sql, &[(&i64::from(limit), Type::INT8)]).await?;
        rows.iter().map(|row| Ok((TenantId(get(row, 0)?), TaskId(get(row, 1)?)))).collect()
    }
}

impl PostgresStore {
    pub(super) async fn read_task(&self, tenant: TenantId, id: TaskId) -> Result<Option<TaskRow>> {
        let sql =
            format!("{} FROM tasks t {} WHERE t.id = $1 AND n.id = $2", RawTask::COLUMNS, RawTask::JOINS);
        let found = self.inner.read.row(&sql, &[(&id.0, Type::UUID), (&tenant.0, Type::UUID)]).await?;
        match found {
            None => Ok(None),
            Some(row) => Ok(Some(RawTask::read(&row)?.load(&self.inner.payloads).await?)),
        }
    }

    /// The place of the last task of the page before. A number would tell a tenant how many others create.
    async fn cursor(&self, tenant: TenantId, text: &str) -> Result<i64> {
        let no_cursor =
            || StoreError::Refused(format!("`{text}` is no cursor of this list: leave it out to begin anew"));
        let id: TaskId = text.parse().map_err(|_| no_cursor())?;
        let sql =
            "SELECT t.num FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = $1 AND n.id = $2";
        let row = self.inner.read.row(sql, &[(&id.0, Type::UUID), (&tenant.0, Type::UUID)]).await?;
        get(&row.ok_or_else(no_cursor)?, 0)
    }
}

/// The parameters of a statement that is put together.
#[derive(Default)]
struct Query(Vec<(Box<dyn ToSql + Sync + Send>, Type)>);

/// One place where matching tasks are found: `from` binds `m` to rows of tasks.
struct Source {
    from: String,
    condition: String,
    /// Whether `from` is a list of agents, for each of which tasks are read by number.
    by_agent: bool,
}

impl Query {
    fn bind(&mut self, value: impl ToSql + Sync + Send + 'static, kind: Type) -> String {
        self.0.push((Box::new(value), kind));
        format!("${}", self.0.len())
    }

    fn params(&self) -> Vec<Param<'_>> {
        self.0
            .iter()
            .map(|(value, kind)| -> Param<'_> { (value.as_ref() as &(dyn ToSql + Sync), kind.clone()) })
            .collect()
    }

    /// Where the tasks of a filter are found. What is ready and what is held are tables of their own, small whatever
    /// has ended; the others are read by agent, newest first.
    fn matching(&mut self, tenant: TenantId, filter: &TaskFilter) -> Vec<Source> {
        let tenant = format!("(SELECT num FROM tenants WHERE id = {})", self.bind(tenant.0, Type::UUID));
        let mut shared = String::new();
        if let Some(parent) = filter.parent {
            let parent = self.bind(parent.0, Type::UUID);
            shared.push_str(&format!(" AND m.parent = (SELECT num FROM tasks WHERE id = {parent})"));
        }
        if !filter.metadata.is_empty() {
            let labels: Vec<String> = filter.metadata.iter().map(|(key, value)| label(key, value)).collect();
            let labels = self.bind(labels, Type::TEXT_ARRAY);
            shared.push_str(&format!(" AND m.labels @> {labels}"));
        }
        let thread = filter.thread.map(|thread| self.bind(thread.0, Type::UUID));
        let agent = filter.agent.map(|agent| self.bind(agent.0, Type::UUID));
        let of_agent = agent.as_ref().map_or(String::new(), |agent| {
            format!(" AND m.agent = (SELECT num FROM agents WHERE id = {agent})")
        });
        let wanted = |status| filter.status.is_empty() || filter.status.contains(&status);
        // Those of a thread are few and lie side by side, whatever they are doing.
        if let Some(thread) = thread {
            let statuses: Vec<i16> =
                TaskStatus::ALL.into_iter().filter(|s| wanted(*s)).map(status_number).collect();
            let statuses = self.bind(statuses, Type::INT2_ARRAY);
            let only_paused = if filter.paused { " AND m.paused_at IS NOT NULL" } else { "" };
            return vec![Source {
                from: "tasks m LEFT JOIN held q ON q.id = m.id AND m.status = 0".to_owned(),
                condition: format!(
                    "m.thread = (SELECT num FROM threads WHERE id = {thread}) AND m.tenant = {tenant}
                     AND CASE WHEN q.id IS NOT NULL THEN 1::smallint ELSE m.status END = ANY ({statuses}){shared}{of_agent}{only_paused}"
                ),
                by_agent: false,
            }];
        }
        // One that waits for its turn in a thread is found there, paused or not.
        let paused = |condition: &str| Source {
            from: "tasks m".to_owned(),
            condition: format!(
                "m.tenant = {tenant} AND m.paused_at IS NOT NULL{condition}{shared}{of_agent}"
            ),
            by_agent: false,
        };
        if filter.paused {
            return vec![paused(if wanted(TaskStatus::Pending) { "" } else { " AND false" })];
        }
        let mut sources = Vec::new();
        if wanted(TaskStatus::Pending) {
            sources.push(paused(
                " AND (m.thread IS NULL OR EXISTS (SELECT FROM threads q WHERE q.num = m.thread AND q.active = m.num))",
            ));
            // The active one of a thread is ready or held.
            sources.push(Source {
                from: "threads q CROSS JOIN LATERAL unnest(array_remove(q.queue || q.superseded, q.active)) AS w (task)
                       JOIN tasks m ON m.num = w.task"
                    .to_owned(),
                condition: format!(
                    "q.tenant = {tenant} AND (q.queue <> '{{}}' OR q.superseded <> '{{}}') AND m.status = 0{shared}{of_agent}"
                ),
                by_agent: false,
            });
        }
        for (status, table) in [(TaskStatus::Pending, "ready"), (TaskStatus::Running, "held")] {
            if wanted(status) {
                sources.push(Source {
                    from: format!("{table} q JOIN tasks m ON m.num = q.task"),
                    condition: format!("q.tenant = {tenant} AND m.status = 0{shared}{of_agent}"),
                    by_agent: false,
                });
            }
        }
        let settled = [TaskStatus::Waiting, TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled];
        let settled: Vec<i16> = settled.into_iter().filter(|s| wanted(*s)).map(status_number).collect();
        if !settled.is_empty() {
            let waiting = match settled.as_slice() {
                [2] => " AND m.waiting_for IS NOT NULL",
                _ => "",
            };
            let settled = self.bind(settled, Type::INT2_ARRAY);
            let only = agent.map_or(String::new(), |agent| format!(" AND g.id = {agent}"));
            sources.push(Source {
                from: format!("agents g WHERE g.tenant = {tenant}{only}"),
                condition: format!("m.status = ANY ({settled}){waiting}{shared}"),
                by_agent: true,
            });
        }
        sources
    }
}

impl Source {
    /// The newest `limit` below `before`.
    fn page(&self, before: i64, limit: i64) -> String {
        let Self { from, condition, by_agent } = self;
        match by_agent {
            true => format!(
                "SELECT m.num FROM (SELECT g.num FROM {from}) AS g CROSS JOIN LATERAL (
                     SELECT m.num FROM tasks m WHERE m.agent = g.num AND m.num < {before} AND {condition}
                     ORDER BY m.num DESC LIMIT {limit}) AS m"
            ),
            false => format!(
                "(SELECT m.num FROM {from} WHERE m.num < {before} AND {condition} ORDER BY m.num DESC LIMIT {limit})"
            ),
        }
    }

    fn count(&self) -> String {
        let Self { from, condition, by_agent } = self;
        match by_agent {
            true => format!(
                "(SELECT count(*) FROM (SELECT g.num FROM {from}) AS g JOIN tasks m ON m.agent = g.num WHERE {condition})"
            ),
            false => format!("(SELECT count(*) FROM {from} WHERE {condition})"),
        }
    }
}
