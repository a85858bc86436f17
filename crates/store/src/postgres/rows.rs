//! Task rows: how their columns are read.

use tokio_postgres::Row;
use uuid::Uuid;

use agenticai_domain::ids::{AgentId, TaskId, TenantId, ThreadId, UserId};
use agenticai_domain::task::{Parent, TaskHead, TaskInput, TaskStatus};
use agenticai_domain::usage::{NanoUsd, Spend, Usage};

use crate::payload::Payloads;
use crate::status::status_of;
use crate::{Result, StoreError, TaskRow, TaskThread};

/// `workers.state`.
pub(super) const ALIVE: i16 = 0;
pub(super) const DEAD: i16 = 1;

/// Column `at`, where it holds what was written into it.
pub(super) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T> {
    row.try_get(at).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// Column `at` as a count; negative ones were never written.
pub(super) fn count(row: &Row, at: usize) -> Result<u64> {
    let number: i64 = get(row, at)?;
    u64::try_from(number).map_err(|_| StoreError::Unreadable(format!("{number} is no count")))
}

/// A count as a column. What does not fit is no count that anybody reached.
pub(super) fn number(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| StoreError::Refused(format!("{count} is out of range")))
}

/// A small number from a column.
pub(super) fn small<T: TryFrom<i32>>(row: &Row, at: usize) -> Result<T> {
    let number: i32 = get(row, at)?;
    T::try_from(number).map_err(|_| StoreError::Unreadable(format!("{number} is out of range")))
}

/// Column `at` as a status.
pub(super) fn status(row: &Row, at: usize) -> Result<TaskStatus> {
    let number: i16 = get(row, at)?;
    status_of(i64::from(number)).ok_or_else(|| StoreError::Unreadable(format!("{number} is no status")))
}

/// A spend from the five columns from `at` on.
pub(super) fn spend(row: &Row, at: usize) -> Result<Spend> {
    Ok(Spend {
        usage: Usage {
            input_tokens: count(row, at)?,
            output_tokens: count(row, at + 1)?,
            cached_tokens: count(row, at + 2)?,
            reasoning_tokens: count(row, at + 3)?,
        },
        cost: get::<Option<i64>>(row, at + 4)?.map(NanoUsd),
    })
}

/// The five columns of a spend.
pub(super) struct SpendColumns {
    pub(super) tokens: [i64; 4],
    pub(super) cost: Option<i64>,
}

impl SpendColumns {
    pub(super) fn of(spend: &Spend) -> Result<Self> {
        let usage = &spend.usage;
        Ok(Self {
            tokens: [
                number(usage.input_tokens)?,
                number(usage.output_tokens)?,
                number(usage.cached_tokens)?,
                number(usage.reasoning_tokens)?,
            ],
            cost: spend.cost.map(|cost| cost.0),
        })
    }
}

/// A task as it lies in the database, its payloads still sealed.
pub(super) struct RawTask {
    row: TaskRow,
    inbox_seq: u64,
    num: i64,
    input: Vec<u8>,
    waiting_for: Option<Vec<u8>>,
    outcome: Option<Vec<u8>>,
}

impl RawTask {
    /// What [`Self::read`] reads, of `t` and of [`Self::JOINS`]. Whether a task that does not wait is ready or in
    /// somebody's hands is said by the rows of `ready` and `held`. The function `claimed_tasks` answers the same columns.
    pub(super) const COLUMNS: &'static str = "
        SELECT t.id, n.id, a.id, a.name, t.agent_version, t.priority::int, t.created_at, t.deadline_at,
               p.id, t.parent_step, t.depth::int, t.created_by, t.traceparent,
               CASE WHEN h.id IS NOT NULL THEN 1::smallint ELSE t.status END,
               t.last_seq, coalesce(h.started_at, r.started_at, t.started_at), t.completed_at,
               t.input_tokens, t.output_tokens, t.cached_tokens, t.reasoning_tokens, t.cost,
               t.metadata, t.input, t.waiting_for, t.outcome, t.inbox_seq, t.num,
               th.id, th.name, array_position(th.queue, t.num), t.paused_at";

    /// How many columns that is.
    pub(super) const WIDTH: usize = 32;

    /// What `tasks t` is joined with.
    pub(super) const JOINS: &'static str = "
        JOIN tenants n ON n.num = t.tenant
        JOIN agents a ON a.num = t.agent
        LEFT JOIN tasks p ON p.num = t.parent
        LEFT JOIN threads th ON th.num = t.thread
        LEFT JOIN held h ON h.id = t.id AND t.status = 0
        LEFT JOIN ready r ON r.task = t.num AND t.status = 0";

    /// Reads a row of [`Self::COLUMNS`].
    pub(super) fn read(row: &Row) -> Result<Self> {
        let parent = match (get::<Option<Uuid>>(row, 8)?, get::<Option<String>>(row, 9)?) {
            (Some(task), Some(step)) => {
                Some(Parent { task: TaskId(task), step: step.parse().map_err(StoreError::Unreadable)? })
            }
            _ => None,
        };
        let metadata = match get::<Option<&str>>(row, 22)? {
            None => serde_json::Map::new(),
            Some(text) => {
                serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))?
            }
        };
        let thread = match get::<Option<Uuid>>(row, 28)? {
            None => None,
            Some(id) => Some(TaskThread {
                id: ThreadId(id),
                name: get(row, 29)?,
                place: get::<Option<i32>>(row, 30)?.and_then(|place| u32::try_from(place).ok()),
            }),
        };
        Ok(Self {
            row: TaskRow {
                head: TaskHead {
                    id: TaskId(get(row, 0)?),
                    tenant: TenantId(get(row, 1)?),
                    agent: AgentId(get(row, 2)?),
                    agent_version: small(row, 4)?,
                    // The real one takes its place once it is loaded.
                    input: TaskInput::Text(String::new()),
                    priority: small(row, 5)?,
                    created_at: get(row, 6)?,
                    deadline_at: get(row, 7)?,
                    parent,
                    depth: small(row, 10)?,
                    created_by: get::<Option<Uuid>>(row, 11)?.map(UserId),
                    traceparent: get(row, 12)?,
                },
                agent_name: get(row, 3)?,
                status: status(row, 13)?,
                waiting_for: Vec::new(),
                paused_at: get(row, 31)?,
                end: None,
                spend: spend(row, 17)?,
                metadata,
                thread,
                last_seq: count(row, 14)?,
                started_at: get(row, 15)?,
                completed_at: get(row, 16)?,
            },
            input: get(row, 23)?,
            waiting_for: get(row, 24)?,
            outcome: get(row, 25)?,
            inbox_seq: count(row, 26)?,
            num: get(row, 27)?,
        })
    }

    /// Its number, and how many messages its inbox has.
    pub(super) fn place(&self) -> (i64, u64) {
        (self.num, self.inbox_seq)
    }

    /// Whether it belongs to a thread.
    pub(super) fn in_thread(&self) -> bool {
        self.row.thread.is_some()
    }

    /// Its name, which is readable whatever its payloads are.
    pub(super) fn id(&self) -> (TenantId, TaskId) {
        (self.row.head.tenant, self.row.head.id)
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
