//! The inbox: signals from outside and the ends of children.

use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::inbox::{InboxBody, InboxMessage};

use super::PostgresStore;
use super::rows::{count, get, number, spend, status};
use crate::{DeliverOutcome, Result, StoreError};

/// See [`crate::Tasks::deliver`].
pub(super) async fn deliver(
    store: &PostgresStore,
    tenant: TenantId,
    id: TaskId,
    dedupe: String,
    body: InboxBody,
) -> Result<DeliverOutcome> {
    let body = store.inner.payloads.keep(tenant, Some(id), &body).await?;
    let row = store
        .inner
        .write
        .row(
            "SELECT outcome, status FROM deliver($1, $2, $3, $4, $5)",
            &[
                (&store.inner.clock.get(), Type::INT8),
                (&tenant.0, Type::UUID),
                (&id.0, Type::UUID),
                (&dedupe.as_bytes(), Type::BYTEA),
                (&body, Type::BYTEA),
            ],
        )
        .await?
        .ok_or_else(|| StoreError::Unavailable("the database gave no answer".to_owned()))?;
    Ok(match get::<i16>(&row, 0)? {
        0 => DeliverOutcome::Delivered,
        1 => DeliverOutcome::Duplicate,
        2 => DeliverOutcome::AlreadyTerminal(status(&row, 1)?),
        _ => DeliverOutcome::NotFound,
    })
}

/// See [`crate::Journal::inbox`].
pub(super) async fn read(store: &PostgresStore, task: TaskId, after: u64) -> Result<Vec<InboxMessage>> {
    let Ok(after) = number(after) else { return Ok(Vec::new()) };
    let rows = store
        .inner
        .read
        .rows(
            "SELECT m.id, n.id, m.body, c.id, c.parent_step, c.outcome, c.input_tokens, c.output_tokens, c.cached_tokens,
                    c.reasoning_tokens, c.cost
             FROM tasks t
             JOIN tenants n ON n.num = t.tenant
             JOIN inbox m ON m.task = t.num AND m.bucket = t.bucket
             LEFT JOIN tasks c ON c.num = m.child
             WHERE t.id = $1 AND m.id > $2
             ORDER BY m.id",
            &[(&task.0, Type::UUID), (&after, Type::INT8)],
        )
        .await?;
    let payloads = &store.inner.payloads;
    let mut messages = Vec::with_capacity(rows.len());
    for row in &rows {
        let (id, tenant) = (count(row, 0)?, TenantId(get(row, 1)?));
        let body = match (get::<Option<&[u8]>>(row, 2)?, get::<Option<Uuid>>(row, 3)?) {
            (Some(column), _) => payloads.load(tenant, column).await?,
            (None, Some(child)) => InboxBody::ChildEnded {
                step: get::<&str>(row, 4)?.parse::<StepId>().map_err(StoreError::Unreadable)?,
                child: TaskId(child),
                end: payloads.load(tenant, get(row, 5)?).await?,
                spend: spend(row, 6)?,
            },
            (None, None) => {
                return Err(StoreError::Unreadable(format!("message {id} of task {task} is empty")));
            }
        };
        messages.push(InboxMessage { id, body });
    }
    Ok(messages)
}
