//! Threads as rows. Creating tasks in them is part of [`super::create`].

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{TaskId, TenantId, ThreadId, UserId};

use super::PostgresStore;
use super::connection::Param;
use super::rows::get;
use crate::{
    CreateThread, DeleteThread, NewThread, Page, Result, StoreError, ThreadRow, ThreadSelector, Threads,
};

const COLUMNS: &str = "
    SELECT h.id, n.id, h.name, h.created_by, h.created_at, a.id, tasks_of(h.queue), tasks_of(h.superseded)
    FROM threads h JOIN tenants n ON n.num = h.tenant LEFT JOIN tasks a ON a.num = h.active";

#[async_trait]
impl Threads for PostgresStore {
    async fn create_thread(&self, new: NewThread) -> Result<CreateThread> {
        let NewThread { id, tenant, name, created_by } = new;
        let row = self
            .inner
            .write
            .row(
                "SELECT outcome FROM create_thread($1, $2, $3, $4, $5)",
                &[
                    (&self.inner.clock.get(), Type::INT8),
                    (&tenant.0, Type::UUID),
                    (&id.0, Type::UUID),
                    (&name, Type::TEXT),
                    (&created_by.map(|user| user.0), Type::UUID),
                ],
            )
            .await?
            .ok_or_else(no_answer)?;
        if get::<i16>(&row, 0)? != 0 {
            return Ok(CreateThread::NameTaken);
        }
        match self.thread(tenant, ThreadSelector::Id(id)).await? {
            Some(row) => Ok(CreateThread::Stored(Box::new(row))),
            None => Err(StoreError::Unavailable(format!("the new thread {id} is gone already"))),
        }
    }

    async fn thread(&self, tenant: TenantId, which: ThreadSelector) -> Result<Option<ThreadRow>> {
        let (id, name) = parts(which);
        let sql = format!("{COLUMNS} WHERE n.id = $1 AND (h.id = $2 OR h.tenant = n.num AND h.name = $3)");
        let params: [Param<'_>; 3] = [(&tenant.0, Type::UUID), (&id, Type::UUID), (&name, Type::TEXT)];
        self.inner.read.row(&sql, &params).await?.map(|row| read(&row)).transpose()
    }

    async fn list_threads(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<ThreadRow>> {
        let limit = limit.max(1);
        let before = match cursor {
            None => i64::MAX,
            Some(text) => self.place(tenant, &text).await?,
        };
        // One row more than asked for, to know whether more follow.
        let sql = format!("{COLUMNS} WHERE n.id = $1 AND h.num < $2 ORDER BY h.num DESC LIMIT $3");
        let params: [Param<'_>; 3] =
            [(&tenant.0, Type::UUID), (&before, Type::INT8), (&(i64::from(limit) + 1), Type::INT8)];
        let rows = self.inner.read.rows(&sql, &params).await?;
        let items = rows.iter().take(limit as usize).map(read).collect::<Result<Vec<_>>>()?;
        let more = rows.len() > limit as usize;
        let next_cursor = if more { items.last().map(|row| row.id.to_string()) } else { None };
        Ok(Page { items, next_cursor })
    }

    async fn delete_thread(&self, tenant: TenantId, which: ThreadSelector) -> Result<DeleteThread> {
        let (id, name) = parts(which);
        let sql = "SELECT outcome, active_id FROM delete_thread($1, $2, $3)";
        let params: [Param<'_>; 3] = [(&tenant.0, Type::UUID), (&id, Type::UUID), (&name, Type::TEXT)];
        let row = self.inner.write.row(sql, &params).await?.ok_or_else(no_answer)?;
        Ok(match get::<i16>(&row, 0)? {
            0 => DeleteThread::Deleted,
            1 => DeleteThread::Active(TaskId(get(&row, 1)?)),
            _ => DeleteThread::NotFound,
        })
    }

    async fn superseded(&self, limit: u32) -> Result<Vec<(TenantId, TaskId)>> {
        let sql = "SELECT n.id, t.id
             FROM threads h CROSS JOIN LATERAL unnest(h.superseded) AS s (task)
             JOIN tasks t ON t.num = s.task
             JOIN tenants n ON n.num = h.tenant
             WHERE h.superseded <> '{}' LIMIT $1";
        let rows = self.inner.read.rows(sql, &[(&i64::from(limit), Type::INT8)]).await?;
        rows.iter().map(|row| Ok((TenantId(get(row, 0)?), TaskId(get(row, 1)?)))).collect()
    }
}

impl PostgresStore {
    /// The place of the last thread of the page before. A number would tell a tenant how many others create.
    async fn place(&self, tenant: TenantId, text: &str) -> Result<i64> {
        let no_cursor =
            || StoreError::Refused(format!("`{text}` is no cursor of this list: leave it out to begin anew"));
        let id: ThreadId = text.parse().map_err(|_| no_cursor())?;
        let sql =
            "SELECT h.num FROM threads h JOIN tenants n ON n.num = h.tenant WHERE h.id = $1 AND n.id = $2";
        let row = self.inner.read.row(sql, &[(&id.0, Type::UUID), (&tenant.0, Type::UUID)]).await?;
        get(&row.ok_or_else(no_cursor)?, 0)
    }
}

fn parts(which: ThreadSelector) -> (Option<Uuid>, Option<String>) {
    match which {
        ThreadSelector::Id(id) => (Some(id.0), None),
        ThreadSelector::Name(name) => (None, Some(name)),
    }
}

fn no_answer() -> StoreError {
    StoreError::Unavailable("the database gave no answer".to_owned())
}

/// Reads a row of [`COLUMNS`].
fn read(row: &Row) -> Result<ThreadRow> {
    let tasks = |at| get::<Vec<Uuid>>(row, at).map(|ids| ids.into_iter().map(TaskId).collect());
    Ok(ThreadRow {
        id: ThreadId(get(row, 0)?),
        tenant: TenantId(get(row, 1)?),
        name: get(row, 2)?,
        created_by: get::<Option<Uuid>>(row, 3)?.map(UserId),
        created_at: get(row, 4)?,
        active: get::<Option<Uuid>>(row, 5)?.map(TaskId),
        queue: tasks(6)?,
        superseded: tasks(7)?,
    })
}
