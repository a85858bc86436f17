//! New tasks as columns: one array for each, as the functions that insert them take them.

use std::fmt::Write as _;

use serde_json::Value;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::task::NewTask;

use super::connection::Param;
use crate::payload::Payloads;
use crate::{Result, StoreError};

/// Parts the labels of a task in one text.
const BETWEEN: char = '\u{1f}';

/// A task whose payloads are ready to be written.
#[derive(Debug, Clone)]
pub(super) struct PreparedTask {
    pub(super) new: NewTask,
    input: Vec<u8>,
    metadata: Option<String>,
    labels: Option<String>,
}

impl PreparedTask {
    /// Seals the input.
    pub(super) async fn new(new: NewTask, payloads: &Payloads) -> Result<Self> {
        let input = payloads.keep(new.tenant, Some(new.id), &new.input).await?;
        let refused = |error: serde_json::Error| StoreError::Refused(error.to_string());
        let metadata = match new.metadata.is_empty() {
            true => None,
            false => Some(serde_json::to_string(&new.metadata).map_err(refused)?),
        };
        let mut labels = String::new();
        for (key, value) in &new.metadata {
            if let Value::String(value) = value {
                if !labels.is_empty() {
                    labels.push(BETWEEN);
                }
                labels.push_str(&label(key, value));
            }
        }
        Ok(Self { new, input, metadata, labels: (!labels.is_empty()).then_some(labels) })
    }
}

/// A member of the metadata as it is matched: in JSON, where no character can be mistaken for what parts labels.
pub(super) fn label(key: &str, value: &str) -> String {
    let mut text = String::new();
    // Writing JSON strings into a text cannot fail.
    let _ = write!(text, "{}:{}", Value::from(key), Value::from(value));
    text
}

/// The columns of a batch of new tasks.
#[derive(Default)]
pub(super) struct TaskColumns<'a> {
    id: Vec<Uuid>,
    tenant: Vec<Uuid>,
    agent: Vec<Uuid>,
    version: Vec<i32>,
    priority: Vec<i16>,
    timeout: Vec<Option<i64>>,
    parent: Vec<Option<Uuid>>,
    parent_step: Vec<Option<String>>,
    depth: Vec<i16>,
    created_by: Vec<Option<Uuid>>,
    traceparent: Vec<Option<&'a str>>,
    metadata: Vec<Option<&'a str>>,
    labels: Vec<Option<&'a str>>,
    input: Vec<&'a [u8]>,
}

impl<'a> TaskColumns<'a> {
    /// Those of some tasks.
    pub(super) fn of(tasks: impl IntoIterator<Item = &'a PreparedTask>) -> Self {
        let mut columns = Self::default();
        tasks.into_iter().for_each(|task| columns.push(task));
        columns
    }

    /// Adds a task.
    pub(super) fn push(&mut self, task: &'a PreparedTask) {
        let PreparedTask { new, input, metadata, labels } = task;
        self.id.push(new.id.0);
        self.tenant.push(new.tenant.0);
        self.agent.push(new.agent.0);
        // A version that no column holds does not exist, and is refused as such.
        self.version.push(i32::try_from(new.agent_version).unwrap_or(i32::MAX));
        self.priority.push(i16::from(new.priority));
        // A time-out beyond the end of time is none.
        self.timeout.push(new.timeout_ms.and_then(|ms| i64::try_from(ms).ok()));
        self.parent.push(new.parent.map(|parent| parent.task.0));
        self.parent_step.push(new.parent.map(|parent| parent.step.to_string()));
        self.depth.push(i16::try_from(new.depth).unwrap_or(i16::MAX));
        self.created_by.push(new.created_by.map(|user| user.0));
        self.traceparent.push(new.traceparent.as_deref());
        self.metadata.push(metadata.as_deref());
        self.labels.push(labels.as_deref());
        self.input.push(input);
    }

    /// In the order of the functions' parameters.
    pub(super) fn params(&self) -> [Param<'_>; 14] {
        [
            (&self.id, Type::UUID_ARRAY),
            (&self.tenant, Type::UUID_ARRAY),
            (&self.agent, Type::UUID_ARRAY),
            (&self.version, Type::INT4_ARRAY),
            (&self.priority, Type::INT2_ARRAY),
            (&self.timeout, Type::INT8_ARRAY),
            (&self.parent, Type::UUID_ARRAY),
            (&self.parent_step, Type::TEXT_ARRAY),
            (&self.depth, Type::INT2_ARRAY),
            (&self.created_by, Type::UUID_ARRAY),
            (&self.traceparent, Type::TEXT_ARRAY),
            (&self.metadata, Type::TEXT_ARRAY),
            (&self.labels, Type::TEXT_ARRAY),
            (&self.input, Type::BYTEA_ARRAY),
        ]
    }
}
