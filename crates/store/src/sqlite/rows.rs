//! Task rows: how their columns are written and read.

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Row, ToSql};
use uuid::Uuid;

use agenticai_domain::ids::{AgentId, TaskId, TenantId, ThreadId, UserId};
use agenticai_domain::task::{Parent, TaskHead, TaskStatus};
use agenticai_domain::usage::{NanoUsd, Spend, Usage};

use crate::payload::Payloads;
use crate::{Result, StoreError, TaskRow, TaskThread};

/// `tasks.status`.
pub(super) const PENDING: i64 = 0;
pub(super) const RUNNING: i64 = 1;
pub(super) const WAITING: i64 = 2;

/// `workers.state`.
pub(super) const ALIVE: i64 = 0;
pub(super) const DEAD: i64 = 1;
pub(super) const DRAINED: i64 = 2;

pub(super) use crate::status::PRIORITY_MS;

/// A status as it stands in a row.
pub(super) fn status_number(status: TaskStatus) -> i64 {
    i64::from(crate::status::status_number(status))
}

/// Column `at` as a status.
pub(super) fn status(row: &Row<'_>, at: usize) -> rusqlite::Result<TaskStatus> {
    let number: i64 = row.get(at)?;
    crate::status::status_of(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(at, number))
}

/// Column `at` as an id.
pub(super) fn id(row: &Row<'_>, at: usize) -> rusqlite::Result<Uuid> {
    optional_id(row, at)?.ok_or_else(|| rusqlite::Error::InvalidColumnType(at, "id".to_owned(), Type::Null))
}

/// Column `at` as an id, or none.
pub(super) fn optional_id(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Uuid>> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(at, Type::Blob, e)
    };
    match row.get_ref(at)?.as_blob_or_null().map_err(|e: FromSqlError| failed(Box::new(e)))? {
        None => Ok(None),
        Some(bytes) => Uuid::from_slice(bytes).map(Some).map_err(|e| failed(Box::new(e))),
    }
}

/// Column `at` as a count; negative ones were never written.
pub(super) fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(at)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, number))
}

/// A count as a column. What does not fit is no count that anybody reached.
pub(super) fn number(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| StoreError::Refused(format!("{count} is out of range")))
}

/// The five columns of a spend.
pub(super) fn spend_columns(spend: &Spend) -> Result<[Box<dyn ToSql>; 5]> {
    Ok([
        Box::new(number(spend.usage.input_tokens)?),
        Box::new(number(spend.usage.output_tokens)?),
        Box::new(number(spend.usage.cached_tokens)?),
        Box::new(number(spend.usage.reasoning_tokens)?),
        Box::new(spend.cost.map(|cost| cost.0)),
    ])
}

/// A spend from the five columns from `at` on.
pub(super) fn spend(row: &Row<'_>, at: usize) -> rusqlite::Result<Spend> {
    Ok(Spend {
        usage: Usage {
            input_tokens: count(row, at)?,
            output_tokens: count(row, at + 1)?,
            cached_tokens: count(row, at + 2)?,
            reasoning_tokens: count(row, at + 3)?,
        },
        cost: row.get::<_, Option<i64>>(at + 4)?.map(NanoUsd),
    })
}

/// A task as it lies in the database, its payloads still sealed.
pub(super) struct RawTask {
    row: TaskRow,
    input: Vec<u8>,
    waiting_for: Option<Vec<u8>>,
    outcome: Option<Vec<u8>>,
}

impl RawTask {
    /// What [`Self::read`] reads; a condition on `t`, `n` or `i` follows.
    pub(super) const SELECT: &'static str = "
        SELECT t.id, n.id, a.id, a.name, t.agent_version, t.priority, t.created_at, t.deadline_at,
               p.id, t.parent_step, t.depth, t.created_by, t.traceparent, t.status, t.last_seq, t.started_at,
               t.completed_at, t.input_tokens, t.output_tokens, t.cached_tokens, t.reasoning_tokens, t.cost,
               i.metadata, i.input, t.waiting_for, t.outcome, h.id, h.name,
               CASE WHEN t.thread_place IS NOT NULL THEN (
                   SELECT count(*) FROM tasks q
                   WHERE q.thread = t.thread AND q.thread_place IS NOT NULL AND q.thread_place <= t.thread_place) END,
               t.paused_at
        FROM tasks t
        JOIN tenants n ON n.num = t.tenant
        JOIN agents a ON a.num = t.agent
        JOIN task_inputs i ON i.task = t.num
        LEFT JOIN tasks p ON p.num = t.parent
        LEFT JOIN threads h ON h.num = t.thread";

    /// Reads a row of [`Self::SELECT`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let text_failed = |at, e: Box<dyn std::error::Error + Send + Sync>| {
            rusqlite::Error::FromSqlConversionFailure(at, Type::Text, e)
        };
        let parent = match (optional_id(row, 8)?, row.get::<_, Option<String>>(9)?) {
            (Some(task), Some(step)) => Some(Parent {
                task: TaskId(task),
                step: step.parse().map_err(|e: String| text_failed(9, e.into()))?,
            }),
            _ => None,
        };
        let metadata = match row.get_ref(22)?.as_str_or_null().map_err(|e| text_failed(22, Box::new(e)))? {
            None => serde_json::Map::new(),
            Some(text) => serde_json::from_str(text).map_err(|e| text_failed(22, Box::new(e)))?,
        };
        let thread = match optional_id(row, 26)? {
            None => None,
            Some(id) => Some(TaskThread { id: ThreadId(id), name: row.get(27)?, place: row.get(28)? }),
        };
        Ok(Self {
            row: TaskRow {
                head: TaskHead {
                    id: TaskId(id(row, 0)?),
                    tenant: TenantId(id(row, 1)?),
                    agent: AgentId(id(row, 2)?),
                    agent_version: row.get(4)?,
                    // The real one takes its place once it is loaded.
                    input: agenticai_domain::task::TaskInput::Text(String::new()),
                    priority: row.get(5)?,
                    created_at: row.get(6)?,
                    deadline_at: row.get(7)?,
                    parent,
                    depth: row.get(10)?,
                    created_by: optional_id(row, 11)?.map(UserId),
                    traceparent: row.get(12)?,
                },
                agent_name: row.get(3)?,
                status: status(row, 13)?,
                waiting_for: Vec::new(),
                paused_at: row.get(29)?,
                end: None,
                spend: spend(row, 17)?,
                metadata,
                thread,
                last_seq: count(row, 14)?,
                started_at: row.get(15)?,
                completed_at: row.get(16)?,
            },
            input: row.get(23)?,
            waiting_for: row.get(24)?,
            outcome: row.get(25)?,
        })
    }

    /// Whether it belongs to a thread.
    pub(super) fn in_thread(&self) -> bool {
        self.row.thread.is_some()
    }

    /// Opens the payloads.
    pub(super) async fn load(self, payloads: &Payloads) -> Result<TaskRow> {
        payloads.load_row(self.row, &self.input, self.waiting_for.as_deref(), self.outcome.as_deref()).await
    }

    /// Opens only what never changes.
    pub(super) async fn load_head(self, payloads: &Payloads) -> Result<TaskHead> {
        let mut head = self.row.head;
        head.input = payloads.load(head.tenant, &self.input).await?;
        Ok(head)
    }
}
