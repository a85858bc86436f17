//! Creating tasks, many with one commit.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::WRITES_FORMAT;

use super::PostgresStore;
use super::batch::Commit;
use super::columns::{PreparedTask, TaskColumns};
use super::connection::Param;
use super::pool::Pool;
use super::rows::{RawTask, get};
use super::store::Floor;
use crate::status::if_active_number;
use crate::tasks::new_row;
use crate::{CreateTask, CreateTaskOutcome, Idempotency, InThread, Result, StoreError, TaskRow};

/// A creation, ready to be written.
pub(super) struct Creation {
    task: PreparedTask,
    idempotency: Option<Idempotency>,
    thread: Option<InThread>,
}

/// What came of it.
pub(super) enum Created {
    New { agent_name: String, at: i64 },
    Existing(TaskId),
    Conflict(TaskId),
    NoThread,
    ThreadBusy(TaskId),
    ThreadFull,
    Refused(String),
}

const SQL: &str = "SELECT idx, outcome, at, agent_name, existing, note FROM create_tasks(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";

/// Commits batches of creations.
pub(super) fn commit(pool: Pool, clock: Arc<Floor>) -> Commit<Creation, Created> {
    Arc::new(move |batch| {
        let (pool, clock) = (pool.clone(), clock.clone());
        async move { apart(&pool, &clock, &batch).await }.boxed()
    })
}

/// Creates a batch. Where the database refuses its data, it is halved until the one that is refused stands alone.
async fn apart(pool: &Pool, clock: &Floor, batch: &[Creation]) -> Result<Vec<Created>> {
    match create(pool, clock, batch).await {
        Err(StoreError::Refused(why)) if batch.len() == 1 => Ok(vec![Created::Refused(why)]),
        Err(StoreError::Refused(_)) => {
            let (first, second) = batch.split_at(batch.len() / 2);
            let mut outcomes = Box::pin(apart(pool, clock, first)).await?;
            outcomes.extend(Box::pin(apart(pool, clock, second)).await?);
            Ok(outcomes)
        }
        decided => decided,
    }
}

async fn create(pool: &Pool, clock: &Floor, batch: &[Creation]) -> Result<Vec<Created>> {
    let (floor, format, expected) = (clock.get(), i16::from(WRITES_FORMAT), batch.len());
    let (mut keys, mut bodies) = (Vec::with_capacity(expected), Vec::with_capacity(expected));
    let (mut threads, mut if_active) = (Vec::with_capacity(expected), Vec::with_capacity(expected));
    let tasks = TaskColumns::of(batch.iter().map(|creation| &creation.task));
    for Creation { idempotency, thread, .. } in batch {
        keys.push(idempotency.as_ref().map(|i| i.key.as_bytes()));
        bodies.push(idempotency.as_ref().map(|i| i.body.as_slice()));
        threads.push(thread.map(|thread| thread.id.0));
        if_active.push(thread.map(|thread| if_active_number(thread.if_active)));
    }
    // Where none belongs to a thread, the statement is spared looking.
    let some = threads.iter().any(Option::is_some);
    let (threads, if_active) = (some.then_some(threads), some.then_some(if_active));
    let mut params: Vec<Param<'_>> = vec![
        (&floor, Type::INT8),
        (&format, Type::INT2),
        (&keys, Type::BYTEA_ARRAY),
        (&bodies, Type::BYTEA_ARRAY),
    ];
    params.extend(tasks.params());
    params.extend([(&threads as _, Type::UUID_ARRAY), (&if_active as _, Type::INT2_ARRAY)]);
    let rows = pool.rows(SQL, &params).await?;
    let mut outcomes: Vec<(i32, Created)> = Vec::with_capacity(rows.len());
    for row in &rows {
        clock.raise(get(row, 2)?);
        outcomes.push((get(row, 0)?, outcome(row)?));
    }
    outcomes.sort_by_key(|(idx, _)| *idx);
    if outcomes.len() != expected {
        return Err(StoreError::Unavailable(format!("{} of {expected} creations were answered", rows.len())));
    }
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn outcome(row: &Row) -> Result<Created> {
    let existing = || get::<Uuid>(row, 4).map(TaskId);
    Ok(match get::<i16>(row, 1)? {
        0 => Created::New { agent_name: get(row, 3)?, at: get(row, 2)? },
        1 => Created::Existing(existing()?),
        2 => Created::Conflict(existing()?),
        4 => Created::NoThread,
        5 => Created::ThreadBusy(existing()?),
        6 => Created::ThreadFull,
        _ => Created::Refused(get(row, 5)?),
    })
}

pub(super) async fn create_task(store: &PostgresStore, create: CreateTask) -> Result<CreateTaskOutcome> {
    let CreateTask { task, idempotency, thread } = create;
    let (tenant, id) = (task.tenant, task.id);
    let prepared = PreparedTask::new(task.clone(), &store.inner.payloads).await?;
    match store.inner.creations.commit(Creation { task: prepared, idempotency, thread }).await? {
        // Its place is said by the thread's row.
        Created::New { .. } if thread.is_some() => match store.read_task(tenant, id).await? {
            Some(row) => Ok(CreateTaskOutcome::Created(Box::new(row))),
            None => Err(StoreError::Unreadable(format!("the new task {id} is missing"))),
        },
        Created::New { agent_name, at } => {
            Ok(CreateTaskOutcome::Created(Box::new(new_row(task, agent_name, at))))
        }
        Created::Conflict(id) => Ok(CreateTaskOutcome::KeyConflict(id)),
        Created::NoThread => Ok(CreateTaskOutcome::NoThread),
        Created::ThreadBusy(active) => Ok(CreateTaskOutcome::ThreadBusy(active)),
        Created::ThreadFull => Ok(CreateTaskOutcome::ThreadFull),
        Created::Refused(why) => Err(StoreError::Refused(why)),
        Created::Existing(id) => match store.read_task(tenant, id).await? {
            Some(row) => Ok(CreateTaskOutcome::Existing(Box::new(row))),
            None => Err(StoreError::Unreadable(format!("the task {id} of an idempotency key is missing"))),
        },
    }
}

pub(super) async fn task_by_key(
    store: &PostgresStore,
    tenant: TenantId,
    key: String,
) -> Result<Option<(TaskRow, [u8; 32])>> {
    let sql = format!(
        "{}, k.body FROM idempotency k JOIN tasks t ON t.id = k.task {} WHERE n.id = $1 AND k.tenant = n.num AND k.key = $2",
        RawTask::COLUMNS,
        RawTask::JOINS
    );
    let found =
        store.inner.read.row(&sql, &[(&tenant.0, Type::UUID), (&key.as_bytes(), Type::BYTEA)]).await?;
    let Some(row) = found else { return Ok(None) };
    let body: &[u8] = get(&row, RawTask::WIDTH)?;
    let body = body.try_into().map_err(|_| StoreError::Unreadable("a key's digest is damaged".to_owned()))?;
    Ok(Some((RawTask::read(&row)?.load(&store.inner.payloads).await?, body)))
}
