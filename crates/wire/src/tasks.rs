//! Tasks on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use agenticai_domain::ids::{AgentId, StepId, TaskId};
use agenticai_domain::task::{TaskError, TaskInput, TaskStatus, WaitingFor};
use agenticai_domain::thread::IfActive;

use crate::{BudgetBounds, TaskThreadView};

/// Asks for a task. `POST /api/v1/tasks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTaskRequest {
    /// The agent's name or id.
    pub agent: String,
    /// A version of it; absent: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<u32>,
    /// A text, a list of messages, or the arguments of an agent of kind `tool`.
    pub input: TaskInput,
    /// 1 to 10, 10 most urgent; absent: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// From creation to the end; the agent's own limit counts too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// The caller's own words; lists filter by its string values. At most 16 KiB.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, Value>,
    /// The thread that it belongs to, by name or id: tasks of a thread run one after another. A new name makes a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// What happens while another task of the thread is active; absent: `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_active: Option<IfActive>,
    /// Bounds on what it may spend, together with the tasks that it calls; beside the budgets of its agent, user and
    /// tenant. It is the budget with the task's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetBounds>,
}

/// Asks for a task of the agent in the path. `POST /api/v1/agents/{id}/execute`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecuteRequest {
    /// As in [`CreateTaskRequest`].
    pub input: TaskInput,
    /// As in [`CreateTaskRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<u32>,
    /// As in [`CreateTaskRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// As in [`CreateTaskRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// As in [`CreateTaskRequest`].
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, Value>,
    /// As in [`CreateTaskRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// As in [`CreateTaskRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_active: Option<IfActive>,
    /// As in [`CreateTaskRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetBounds>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// The agent's name.
    pub agent: String,
    /// The agent's id.
    pub agent_id: AgentId,
    /// The agent's version.
    pub agent_version: u32,
    /// How it stands.
    pub status: TaskStatus,
    /// While `waiting`: for what.
    pub waiting_for: Vec<WaitingFor>,
    /// RFC 3339; since when it is paused, because the database was restored to an earlier point: it is `pending` and goes
    /// on once an operator has released it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<String>,
    /// What was asked.
    pub input: TaskInput,
    /// Once completed: the answer.
    pub output: Option<Value>,
    /// Once failed or cancelled: why.
    pub error: Option<TaskError>,
    /// What it has consumed.
    pub usage: UsageView,
    /// The model that answered last, or the one that it asks for; `null` in agents of kind `tool`.
    pub model: Option<String>,
    /// The provider that answered last; `practice` is the built-in stand-in.
    pub provider: Option<String>,
    /// 1 to 10, 10 most urgent.
    pub priority: u8,
    /// The caller's own words.
    pub metadata: serde_json::Map<String, Value>,
    /// The task that called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The thread that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<TaskThreadView>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; `null` until the first claim.
    pub started_at: Option<String>,
    /// RFC 3339; `null` until the end.
    pub completed_at: Option<String>,
    /// RFC 3339; when it must have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<String>,
    /// Results of `once` calls that came when the task had been taken over or had ended: not part of the journal, but
    /// they tell whoever has to decide about an unknown outcome. Only where a single task is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late_results: Vec<LateResultView>,
}

/// See [`TaskView::late_results`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LateResultView {
    /// The call.
    pub step: StepId,
    /// The epoch that had sent it.
    pub epoch: u32,
    /// What the tool answered, as text.
    pub result: String,
}

/// What a task consumed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    /// Of the tokens read, those that the provider had cached.
    pub cached_tokens: u64,
    /// Of the tokens written, those of hidden reasoning.
    pub reasoning_tokens: u64,
    /// US dollars; `null` where a price is unknown.
    pub cost_usd: Option<f64>,
}

/// A page of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskPage {
    /// The tasks, newest first.
    pub items: Vec<TaskView>,
    /// Pass it as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// How many tasks. `GET /api/v1/tasks/count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountView {
    /// The number.
    pub count: u64,
}

/// A message to a task. `POST /api/v1/tasks/{id}/signals`.
///
/// A decision on an approval: `{"step", "decision", "arguments"}`. An answer to a question: `{"step", "value"}`. An
/// event: `{"name", "payload"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// The step that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// `approve`, `edit` or `reject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// With `edit`: the arguments to send instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// With `reject`: why; the model is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The answer to a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Name of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What an event says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// Makes sending it again harmless; decisions on a step have their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_id: Option<String>,
}

/// A person's word on a call whose outcome is unknown. `POST /api/v1/tasks/{id}/resolve`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// The step that waits.
    pub step: StepId,
    /// `done`, `not_done` or `cancel`.
    pub decision: String,
    /// The attempt it speaks of, as in the journal's `call_uncertain`. With it a request that is sent twice cannot
    /// decide the next attempt too; absent: the attempt whose outcome is unknown now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// With `done`: what the tool answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// A journal entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JournalEntryView {
    /// From 1, without holes.
    pub seq: u64,
    /// The epoch of the task when it was written.
    pub epoch: u32,
    /// RFC 3339 with milliseconds.
    pub at: String,
    /// What it says; `type` names its shape.
    pub entry: Value,
}

/// A page of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JournalPage {
    /// The entries, in order.
    pub items: Vec<JournalEntryView>,
    /// Pass it as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}
