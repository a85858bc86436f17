//! Threads: as rows, and whose turn it is.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use agenticai_domain::ids::{TaskId, TenantId, ThreadId, UserId};
use agenticai_domain::thread::{IfActive, MOST_QUEUED};

use super::rows::{self, PRIORITY_MS};
use super::transaction::Tx;
use super::writer::Lane;
use super::{SqliteStore, create};
use crate::{
    CreateThread, DeleteThread, InThread, NewThread, Page, Result, StoreError, ThreadRow, ThreadSelector,
    Threads,
};

/// A thread as it stands before a task is created in it.
pub(super) struct Standing {
    num: i64,
    active: Option<i64>,
    if_active: IfActive,
}

/// Why a thread takes no task.
pub(super) enum Refusal {
    NoThread,
    Busy(TaskId),
    Full,
}

#[async_trait]
impl Threads for SqliteStore {
    async fn create_thread(&self, new: NewThread) -> Result<CreateThread> {
        let NewThread { id, tenant, .. } = new;
        let stored = self.inner.writer.call(Lane::Work, 0, move |tx| insert(tx, &new)).await?;
        if !stored {
            return Ok(CreateThread::NameTaken);
        }
        match self.thread(tenant, ThreadSelector::Id(id)).await? {
            Some(row) => Ok(CreateThread::Stored(Box::new(row))),
            None => Err(StoreError::Unavailable(format!("the new thread {id} is gone already"))),
        }
    }

    async fn thread(&self, tenant: TenantId, which: ThreadSelector) -> Result<Option<ThreadRow>> {
        self.inner
            .readers
            .call(move |conn| {
                let rows = match which {
                    ThreadSelector::Id(id) => {
                        read(conn, "n.id = ?1 AND h.id = ?2", params![tenant.0.as_bytes(), id.0.as_bytes()])
                    }
                    ThreadSelector::Name(name) => read(
                        conn,
                        "n.id = ?1 AND h.tenant = n.num AND h.name = ?2",
                        params![tenant.0.as_bytes(), name],
                    ),
                };
                Ok(rows?.pop())
            })
            .await
    }

    async fn list_threads(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<ThreadRow>> {
        let limit = limit.max(1);
        let no_cursor = |text: &str| {
            StoreError::Refused(format!("`{text}` is no cursor of this list: leave it out to begin anew"))
        };
        // The cursor is the last thread of the page before: a number would tell a tenant how many others create.
        let before = match cursor {
            None => None,
            Some(text) => Some(text.parse::<ThreadId>().map_err(|_| no_cursor(&text))?),
        };
        let mut items = self
            .inner
            .readers
            .call(move |conn| {
                let before = match before {
                    None => i64::MAX,
                    Some(id) => conn
                        .prepare_cached(
                            "SELECT h.num FROM threads h JOIN tenants n ON n.num = h.tenant WHERE h.id = ?1 AND n.id = ?2",
                        )?
                        .query_row(params![id.0.as_bytes(), tenant.0.as_bytes()], |row| row.get(0))
                        .optional()?
                        .ok_or_else(|| no_cursor(&id.to_string()))?,
                };
                // One row more than asked for, to know whether more follow.
                let which = "n.id = ?1 AND h.num < ?2 ORDER BY h.num DESC LIMIT ?3";
                Ok(read(conn, which, params![tenant.0.as_bytes(), before, i64::from(limit) + 1])?)
            })
            .await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = if more { items.last().map(|row| row.id.to_string()) } else { None };
        Ok(Page { items, next_cursor })
    }

    async fn delete_thread(&self, tenant: TenantId, which: ThreadSelector) -> Result<DeleteThread> {
        self.inner.writer.call(Lane::Work, 0, move |tx| delete(tx, tenant, &which)).await
    }

    async fn superseded(&self, limit: u32) -> Result<Vec<(TenantId, TaskId)>> {
        self.inner
            .readers
            .call(move |conn| {
                let rows = conn
                    .prepare_cached(
                        "SELECT n.id, t.id FROM tasks t JOIN tenants n ON n.num = t.tenant
                         WHERE t.superseded = 1 LIMIT ?1",
                    )?
                    .query_map([limit], |row| Ok((TenantId(rows::id(row, 0)?), TaskId(rows::id(row, 1)?))))?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(rows)
            })
            .await
    }
}

/// Threads, with what waits in them.
fn read(conn: &Connection, which: &str, params: impl Params) -> rusqlite::Result<Vec<ThreadRow>> {
    let sql = format!(
        "SELECT h.id, n.id, h.name, h.created_by, h.created_at, a.id, h.num
         FROM threads h JOIN tenants n ON n.num = h.tenant LEFT JOIN tasks a ON a.num = h.active WHERE {which}"
    );
    let found: Vec<(i64, ThreadRow)> = conn
        .prepare_cached(&sql)?
        .query_map(params, |row| {
            let thread = ThreadRow {
                id: ThreadId(rows::id(row, 0)?),
                tenant: TenantId(rows::id(row, 1)?),
                name: row.get(2)?,
                created_by: rows::optional_id(row, 3)?.map(UserId),
                created_at: row.get(4)?,
                active: rows::optional_id(row, 5)?.map(TaskId),
                queue: Vec::new(),
                superseded: Vec::new(),
            };
            Ok((row.get(6)?, thread))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let task = |row: &Row<'_>| Ok(TaskId(rows::id(row, 0)?));
    let mut threads = Vec::with_capacity(found.len());
    for (num, mut thread) in found {
        thread.queue = conn
            .prepare_cached(
                "SELECT id FROM tasks WHERE thread = ?1 AND thread_place IS NOT NULL ORDER BY thread_place",
            )?
            .query_map([num], task)?
            .collect::<rusqlite::Result<_>>()?;
        thread.superseded = conn
            .prepare_cached("SELECT id FROM tasks WHERE thread = ?1 AND superseded = 1 ORDER BY num")?
            .query_map([num], task)?
            .collect::<rusqlite::Result<_>>()?;
        threads.push(thread);
    }
    Ok(threads)
}

/// `false` where another thread has the name.
fn insert(tx: &Tx<'_>, new: &NewThread) -> Result<bool> {
    let tenant = create::tenant_number(tx, new.tenant)?;
    tx.execute(
        "INSERT INTO threads (id, tenant, name, created_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        params![
            new.id.0.as_bytes(),
            tenant,
            new.name,
            new.created_by.as_ref().map(|user| user.0.as_bytes()),
            tx.now
        ],
    )?;
    let there = tx.row(
        "SELECT 1 FROM threads WHERE id = ?1 AND tenant = ?2",
        params![new.id.0.as_bytes(), tenant],
        |_| Ok(()),
    )?;
    Ok(there.is_some())
}

fn delete(tx: &Tx<'_>, tenant: TenantId, which: &ThreadSelector) -> Result<DeleteThread> {
    let (id, name) = match which {
        ThreadSelector::Id(id) => (Some(id.0.as_bytes()), None),
        ThreadSelector::Name(name) => (None, Some(name)),
    };
    let num = tx.row(
        "SELECT h.num FROM threads h JOIN tenants n ON n.num = h.tenant
         WHERE n.id = ?1 AND (h.id = ?2 OR h.tenant = n.num AND h.name = ?3)",
        params![tenant.0.as_bytes(), id, name],
        |row| row.get::<_, i64>(0),
    )?;
    let Some(num) = num else { return Ok(DeleteThread::NotFound) };
    let open = tx.row(
        "SELECT id FROM tasks WHERE num = (SELECT active FROM threads WHERE num = ?1)
         UNION ALL
         SELECT id FROM tasks WHERE thread = ?1 AND superseded = 1 LIMIT 1",
        [num],
        |row| Ok(TaskId(rows::id(row, 0)?)),
    )?;
    if let Some(open) = open {
        return Ok(DeleteThread::Active(open));
    }
    tx.execute("DELETE FROM threads WHERE num = ?1", [num])?;
    // Numbers of rows that are gone are given again.
    tx.execute("UPDATE tasks SET thread = NULL WHERE thread = ?1", [num])?;
    Ok(DeleteThread::Deleted)
}

/// The thread in which a task is to be created, or why it takes none.
pub(super) fn stand(
    tx: &Tx<'_>,
    tenant: i64,
    wanted: InThread,
) -> Result<std::result::Result<Standing, Refusal>> {
    let InThread { id, if_active } = wanted;
    let found = tx.row(
        "SELECT h.num, h.active, a.id FROM threads h LEFT JOIN tasks a ON a.num = h.active
         WHERE h.id = ?1 AND h.tenant = ?2",
        params![id.0.as_bytes(), tenant],
        |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?, rows::optional_id(row, 2)?.map(TaskId))),
    )?;
    let Some((num, active, active_id)) = found else { return Ok(Err(Refusal::NoThread)) };
    if let Some(active) = active_id {
        if if_active == IfActive::Reject {
            return Ok(Err(Refusal::Busy(active)));
        }
        let queued = tx.row(
            "SELECT count(*) FROM tasks WHERE thread = ?1 AND thread_place IS NOT NULL",
            [num],
            |row| row.get::<_, u32>(0),
        )?;
        if if_active != IfActive::Replace && queued.is_some_and(|queued| queued >= MOST_QUEUED) {
            return Ok(Err(Refusal::Full));
        }
    }
    Ok(Ok(Standing { num, active, if_active }))
}

/// Gives a task that was just inserted, and is ready, its place in its thread.
pub(super) fn join(tx: &Tx<'_>, thread: &Standing, task: i64) -> Result<()> {
    let Some(active) = thread.active else {
        tx.execute("UPDATE tasks SET thread = ?2 WHERE num = ?1", params![task, thread.num])?;
        return tx
            .execute("UPDATE threads SET active = ?2 WHERE num = ?1", params![thread.num, task])
            .map(drop);
    };
    if thread.if_active == IfActive::Replace {
        tx.execute(
            "UPDATE tasks SET superseded = 1, thread_place = NULL WHERE thread = ?1 AND thread_place IS NOT NULL",
            [thread.num],
        )?;
    }
    if thread.if_active.supersedes() {
        tx.execute("UPDATE tasks SET superseded = 1 WHERE num = ?1", [active])?;
    }
    let place = match thread.if_active {
        IfActive::Interrupt => "min(thread_place) - 1",
        IfActive::Queue | IfActive::Reject | IfActive::Replace => "max(thread_place) + 1",
    };
    tx.execute(
        &format!(
            "UPDATE tasks SET thread = ?2, ready_due = NULL, thread_place = coalesce((
                 SELECT {place} FROM tasks WHERE thread = ?2 AND thread_place IS NOT NULL), 0)
             WHERE num = ?1"
        ),
        params![task, thread.num],
    )
    .map(drop)
}

/// Lets a task that has just ended leave its thread; the next one has its turn.
pub(super) fn leave(tx: &Tx<'_>, thread: i64, task: i64) -> Result<()> {
    let had_turn = tx.execute(
        "UPDATE threads SET active = (
             SELECT num FROM tasks WHERE thread = ?1 AND thread_place IS NOT NULL ORDER BY thread_place LIMIT 1)
         WHERE num = ?1 AND active = ?2",
        params![thread, task],
    )?;
    if had_turn == 0 {
        return Ok(());
    }
    tx.execute(
        "UPDATE tasks SET thread_place = NULL, ready_due = CASE WHEN paused_at IS NULL THEN ?2 - priority * ?3 END
         WHERE num = (SELECT active FROM threads WHERE num = ?1)",
        params![thread, tx.now, PRIORITY_MS],
    )
    .map(drop)
}
