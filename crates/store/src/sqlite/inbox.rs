//! The inbox: signals from outside and the ends of children.

use rusqlite::params;

use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::inbox::{InboxBody, InboxMessage};
use agenticai_domain::task::TaskStatus;
use agenticai_domain::usage::Spend;

use super::SqliteStore;
use super::rows::{self, PENDING, PRIORITY_MS, WAITING, number, status};
use super::transaction::Tx;
use super::writer::Lane;
use crate::{DeliverOutcome, Result, StoreError};

/// What a message holds: its own body, or the child whose row holds it.
enum Content {
    Body(Vec<u8>),
    Child(i64),
}

/// A message as it lies in the database.
struct Raw {
    id: u64,
    tenant: TenantId,
    body: Option<Vec<u8>>,
    child: Option<RawChild>,
}

struct RawChild {
    id: TaskId,
    step: String,
    outcome: Vec<u8>,
    spend: Spend,
}

/// See [`crate::Tasks::deliver`].
pub(super) async fn deliver(
    store: &SqliteStore,
    tenant: TenantId,
    id: TaskId,
    dedupe: String,
    body: InboxBody,
) -> Result<DeliverOutcome> {
    let body = store.inner.payloads.keep(tenant, Some(id), &body).await?;
    store
        .inner
        .writer
        .call(Lane::Work, body.len(), move |tx| {
            let found = tx.row(
                "SELECT t.num, t.status FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = ?1 AND n.id = ?2",
                params![id.0.as_bytes(), tenant.0.as_bytes()],
                |row| Ok((row.get::<_, i64>(0)?, status(row, 1)?)),
            )?;
            let Some((num, status)) = found else { return Ok(DeliverOutcome::NotFound) };
            put(tx, num, status, &dedupe, Content::Body(body))
        })
        .await
}

/// Tells the parent of a task that has just ended, if it has one.
pub(super) fn tell_parent(tx: &Tx<'_>, child: i64) -> Result<()> {
    let parent = tx.row(
        "SELECT p.num, p.status, c.id FROM tasks c JOIN tasks p ON p.num = c.parent WHERE c.num = ?1",
        [child],
        |row| Ok((row.get::<_, i64>(0)?, status(row, 1)?, TaskId(rows::id(row, 2)?))),
    )?;
    match parent {
        None => Ok(()),
        Some((parent, status, id)) => {
            put(tx, parent, status, &format!("child:{id}"), Content::Child(child)).map(drop)
        }
    }
}

fn put(tx: &Tx<'_>, task: i64, status: TaskStatus, dedupe: &str, content: Content) -> Result<DeliverOutcome> {
    let known =
        tx.row("SELECT 1 FROM inbox WHERE task = ?1 AND dedupe = ?2", params![task, dedupe], |_| Ok(()))?;
    if known.is_some() {
        return Ok(DeliverOutcome::Duplicate);
    }
    if status.is_terminal() {
        return Ok(DeliverOutcome::AlreadyTerminal(status));
    }
    let (body, child) = match content {
        Content::Body(body) => (Some(body), None),
        Content::Child(child) => (None, Some(child)),
    };
    tx.execute(
        "INSERT INTO inbox (task, id, tenant, dedupe, at, body, child)
         SELECT num, inbox_seq + 1, tenant, ?2, ?3, ?4, ?5 FROM tasks WHERE num = ?1",
        params![task, dedupe, tx.now, body, child],
    )?;
    tx.execute("UPDATE tasks SET inbox_seq = inbox_seq + 1 WHERE num = ?1", [task])?;
    if status == TaskStatus::Waiting {
        wake(tx, task)?;
    }
    Ok(DeliverOutcome::Delivered)
}

/// Makes a waiting task ready.
pub(super) fn wake(tx: &Tx<'_>, task: i64) -> Result<()> {
    tx.execute(
        "UPDATE tasks SET status = ?2, wake_at = NULL, waiting_for = NULL, ready_due = ?3 - priority * ?4
         WHERE num = ?1 AND status = ?5",
        params![task, PENDING, tx.now, PRIORITY_MS, WAITING],
    )
    .map(drop)
}

/// See [`crate::Journal::inbox`].
pub(super) async fn read(store: &SqliteStore, task: TaskId, after: u64) -> Result<Vec<InboxMessage>> {
    let Ok(after) = number(after) else { return Ok(Vec::new()) };
    let raw: Vec<Raw> = store
        .inner
        .readers
        .call(move |conn| {
            let rows = conn
                .prepare_cached(
                    "SELECT m.id, n.id, m.body, c.id, c.parent_step, c.outcome, c.input_tokens, c.output_tokens,
                            c.cached_tokens, c.reasoning_tokens, c.cost
                     FROM tasks t
                     JOIN tenants n ON n.num = t.tenant
                     JOIN inbox m ON m.task = t.num
                     LEFT JOIN tasks c ON c.num = m.child
                     WHERE t.id = ?1 AND m.id > ?2
                     ORDER BY m.id",
                )?
                .query_map(params![task.0.as_bytes(), after], |row| {
                    let child = match rows::optional_id(row, 3)? {
                        None => None,
                        Some(id) => Some(RawChild {
                            id: TaskId(id),
                            step: row.get(4)?,
                            outcome: row.get(5)?,
                            spend: rows::spend(row, 6)?,
                        }),
                    };
                    Ok(Raw { id: rows::count(row, 0)?, tenant: TenantId(rows::id(row, 1)?), body: row.get(2)?, child })
                })?
                .collect::<rusqlite::Result<_>>()?;
            Ok(rows)
        })
        .await?;
    let payloads = &store.inner.payloads;
    let mut messages = Vec::with_capacity(raw.len());
    for Raw { id, tenant, body, child } in raw {
        let body = match (body, child) {
            (Some(column), _) => payloads.load(tenant, &column).await?,
            (None, Some(child)) => InboxBody::ChildEnded {
                step: child.step.parse::<StepId>().map_err(StoreError::Unreadable)?,
                child: child.id,
                end: payloads.load(tenant, &child.outcome).await?,
                spend: child.spend,
            },
            (None, None) => {
                return Err(StoreError::Unreadable(format!("message {id} of task {task} is empty")));
            }
        };
        messages.push(InboxMessage { id, body });
    }
    Ok(messages)
}
