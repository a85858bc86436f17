//! Creating tasks: on request, and as children with a run.

use rusqlite::{OptionalExtension, params};

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::WRITES_FORMAT;
use agenticai_domain::task::NewTask;

use super::SqliteStore;
use super::rows::{self, PENDING, PRIORITY_MS};
use super::threads::{self, Refusal};
use super::transaction::Tx;
use super::writer::Lane;
use crate::payload::Payloads;
use crate::tasks::{deadline, new_row};
use crate::{CreateTask, CreateTaskOutcome, Idempotency, InThread, Result, StoreError, TaskRow};

/// A task whose payloads are ready to be written.
pub(super) struct PreparedTask {
    new: NewTask,
    input: Vec<u8>,
    metadata: Option<String>,
}

/// What came of a creation inside the transaction.
enum Created {
    New { agent_name: String, at: i64 },
    Existing(TaskId),
    Conflict(TaskId),
    ByThread(Refusal),
}

impl PreparedTask {
    /// Seals the input.
    pub(super) async fn new(new: NewTask, payloads: &Payloads) -> Result<Self> {
        let input = payloads.keep(new.tenant, Some(new.id), &new.input).await?;
        let metadata = match new.metadata.is_empty() {
            true => None,
            false => {
                Some(serde_json::to_string(&new.metadata).map_err(|e| StoreError::Refused(e.to_string()))?)
            }
        };
        Ok(Self { new, input, metadata })
    }

    /// Bytes that it writes, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.input.len() + self.metadata.as_ref().map_or(0, String::len) + 256
    }
}

pub(super) async fn create_task(store: &SqliteStore, create: CreateTask) -> Result<CreateTaskOutcome> {
    let CreateTask { task, idempotency, thread } = create;
    let (tenant, id) = (task.tenant, task.id);
    let prepared = PreparedTask::new(task.clone(), &store.inner.payloads).await?;
    let created = store
        .inner
        .writer
        .call(Lane::Create, prepared.bytes(), move |tx| {
            create_in(tx, &prepared, idempotency.as_ref(), thread)
        })
        .await?;
    match created {
        // Its place is said by its thread.
        Created::New { .. } if thread.is_some() => match store.read_task(tenant, id).await? {
            Some(row) => Ok(CreateTaskOutcome::Created(Box::new(row))),
            None => Err(StoreError::Unreadable(format!("the new task {id} is missing"))),
        },
        Created::New { agent_name, at } => {
            Ok(CreateTaskOutcome::Created(Box::new(new_row(task, agent_name, at))))
        }
        Created::Conflict(id) => Ok(CreateTaskOutcome::KeyConflict(id)),
        Created::ByThread(Refusal::NoThread) => Ok(CreateTaskOutcome::NoThread),
        Created::ByThread(Refusal::Busy(active)) => Ok(CreateTaskOutcome::ThreadBusy(active)),
        Created::ByThread(Refusal::Full) => Ok(CreateTaskOutcome::ThreadFull),
        Created::Existing(id) => match store.read_task(tenant, id).await? {
            Some(row) => Ok(CreateTaskOutcome::Existing(Box::new(row))),
            None => Err(StoreError::Unreadable(format!("the task {id} of an idempotency key is missing"))),
        },
    }
}

pub(super) async fn task_by_key(
    store: &SqliteStore,
    tenant: TenantId,
    key: String,
) -> Result<Option<(TaskRow, [u8; 32])>> {
    let found = store
        .inner
        .readers
        .call(move |conn| {
            Ok(conn
                .prepare_cached(
                    "SELECT t.id, k.body FROM idempotency k JOIN tasks t ON t.num = k.task
                     WHERE k.tenant = (SELECT num FROM tenants WHERE id = ?1) AND k.key = ?2",
                )?
                .query_row(params![tenant.0.as_bytes(), key], |row| {
                    Ok((TaskId(rows::id(row, 0)?), row.get(1)?))
                })
                .optional()?)
        })
        .await?;
    match found {
        None => Ok(None),
        Some((id, body)) => Ok(store.read_task(tenant, id).await?.map(|row| (row, body))),
    }
}

fn create_in(
    tx: &Tx<'_>,
    task: &PreparedTask,
    idempotency: Option<&Idempotency>,
    thread: Option<InThread>,
) -> Result<Created> {
    let tenant = tenant_number(tx, task.new.tenant)?;
    if let Some(idempotency) = idempotency {
        let winner = tx.row(
            "SELECT t.id, k.body FROM idempotency k JOIN tasks t ON t.num = k.task WHERE k.tenant = ?1 AND k.key = ?2",
            params![tenant, idempotency.key],
            |row| Ok((TaskId(rows::id(row, 0)?), row.get::<_, [u8; 32]>(1)?)),
        )?;
        if let Some((id, body)) = winner {
            return Ok(if body == idempotency.body { Created::Existing(id) } else { Created::Conflict(id) });
        }
    }
    let thread = match thread {
        None => None,
        Some(_) if is_there(tx, tenant, task.new.id)? => return Ok(Created::Existing(task.new.id)),
        Some(wanted) => match threads::stand(tx, tenant, wanted)? {
            Ok(thread) => Some(thread),
            Err(refusal) => return Ok(Created::ByThread(refusal)),
        },
    };
    match insert(tx, tenant, task)? {
        Some((num, agent_name)) => {
            if let Some(thread) = thread {
                threads::join(tx, &thread, num)?;
            }
            if let Some(idempotency) = idempotency {
                tx.execute(
                    "INSERT INTO idempotency (tenant, key, body, task) VALUES (?1, ?2, ?3, ?4)",
                    params![tenant, idempotency.key, idempotency.body, num],
                )?;
            }
            Ok(Created::New { agent_name, at: tx.now })
        }
        // The creator chose the id: the same id is the same request, sent again.
        None => Ok(Created::Existing(task.new.id)),
    }
}

fn is_there(tx: &Tx<'_>, tenant: i64, id: TaskId) -> Result<bool> {
    let found = tx.row(
        "SELECT 1 FROM tasks WHERE id = ?1 AND tenant = ?2",
        params![id.0.as_bytes(), tenant],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Creates a child with a run. Its id is derived from the step, so one that is there is the same child.
pub(super) fn create_child(tx: &Tx<'_>, task: &PreparedTask) -> Result<()> {
    let tenant = tenant_number(tx, task.new.tenant)?;
    insert(tx, tenant, task).map(drop)
}

/// Creates the task of a firing and answers its number. Its id is that of the firing, so one that is there is the same.
pub(super) fn create_fired(tx: &Tx<'_>, tenant: i64, task: &PreparedTask) -> Result<i64> {
    if let Some((num, _)) = insert(tx, tenant, task)? {
        return Ok(num);
    }
    let id = task.new.id;
    tx.row("SELECT num FROM tasks WHERE id = ?1", [id.0.as_bytes()], |row| row.get(0))?
        .ok_or_else(|| StoreError::Unreadable(format!("the task {id} of a firing is missing")))
}

/// Inserts a task, ready at once; answers its number and the agent's name. `None` where the tenant has the id already.
fn insert(tx: &Tx<'_>, tenant: i64, task: &PreparedTask) -> Result<Option<(i64, String)>> {
    let PreparedTask { new, input, metadata } = task;
    let holder =
        tx.row("SELECT tenant FROM tasks WHERE id = ?1", [new.id.0.as_bytes()], |row| row.get::<_, i64>(0))?;
    match holder {
        None => {}
        Some(holder) if holder == tenant => return Ok(None),
        Some(_) => return Err(StoreError::Refused(format!("the id {} cannot be used", new.id))),
    }
    let agent = tx.row(
        "SELECT a.num, a.name FROM agents a JOIN agent_versions v ON v.agent = a.num
         WHERE a.id = ?1 AND a.tenant = ?2 AND v.version = ?3",
        params![new.agent.0.as_bytes(), tenant, new.agent_version],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
    )?;
    let Some((agent, agent_name)) = agent else {
        return Err(StoreError::Refused(format!(
            "there is no version {} of agent {}",
            new.agent_version, new.agent
        )));
    };
    let parent = match &new.parent {
        None => None,
        Some(parent) => Some(
            tx.row(
                "SELECT num FROM tasks WHERE id = ?1 AND tenant = ?2",
                params![parent.task.0.as_bytes(), tenant],
                |row| row.get::<_, i64>(0),
            )?
            .ok_or_else(|| StoreError::Refused(format!("there is no parent task {}", parent.task)))?,
        ),
    };
    tx.execute(
        "INSERT INTO tasks (id, tenant, agent, agent_version, priority, created_at, deadline_at, parent, parent_step,
                            depth, created_by, traceparent, format, status, ready_due)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            new.id.0.as_bytes(),
            tenant,
            agent,
            new.agent_version,
            new.priority,
            tx.now,
            deadline(tx.now, new.timeout_ms),
            parent,
            new.parent.map(|parent| parent.step.to_string()),
            new.depth,
            new.created_by.as_ref().map(|user| user.0.as_bytes()),
            new.traceparent,
            WRITES_FORMAT,
            PENDING,
            tx.now - i64::from(new.priority) * PRIORITY_MS,
        ],
    )?;
    let num = tx.inserted();
    tx.execute(
        "INSERT INTO task_inputs (task, tenant, input, metadata) VALUES (?1, ?2, ?3, ?4)",
        params![num, tenant, input, metadata],
    )?;
    Ok(Some((num, agent_name)))
}

pub(super) fn tenant_number(tx: &Tx<'_>, tenant: TenantId) -> Result<i64> {
    tx.row("SELECT num FROM tenants WHERE id = ?1", [tenant.0.as_bytes()], |row| row.get(0))?
        .ok_or_else(|| StoreError::Refused(format!("there is no tenant {tenant}")))
}
