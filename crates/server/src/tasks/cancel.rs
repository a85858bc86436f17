//! `POST /api/v1/tasks/{id}/cancel`.
//!
//! A cancel is an append: the terminal entry goes to the next seq, and whoever commits there first wins. The worker
//! that runs the task is told, and finds out by itself should it not hear.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_broker::{Live, Poke};
use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::task::TaskStatus;
use agenticai_store::{CancelOutcome, TaskFilter};
use agenticai_wire::TaskView;

use crate::auth::Auth;
use crate::extract::{ApiPath, task_id, unknown_task};
use crate::problem::{ApiError, ApiResult, BUSY_TASK, TASK_ENDED};
use crate::state::Api;

/// Children looked up at a time.
const PAGE: u32 = 100;

/// Cancels a task and its children; an open call is given up within a second. Cancelling a cancelled task is no error.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks",
    params(("id" = String, Path, description = "The task")),
    responses((status = 200, description = "The cancelled task", body = TaskView))
)]
pub(crate) async fn cancel_task(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<TaskView>> {
    let id = task_id(&id)?;
    let status = api.cancel(who.tenant, id, &format!("cancelled by user {}", who.user)).await?;
    if status != TaskStatus::Cancelled {
        return Err(ended(id, status));
    }
    // The task is cancelled whatever becomes of its children: those that are missed here are found by a sweep.
    if let Err(error) = api.cancel_children(who.tenant, id).await {
        tracing::warn!(task = %id, ?error, "not all children could be cancelled at once");
    }
    let row = api.task(who.tenant, id).await?;
    Ok(Json(api.task_view(&row).await?))
}

/// The problem of a message or a cancel that came too late.
pub(crate) fn ended(id: TaskId, status: TaskStatus) -> ApiError {
    ApiError::new(TASK_ENDED, format!("The task {id} has ended: it is {}.", status.as_str()))
}

impl Api {
    /// Ends a task; answers how it has ended, which may be otherwise if it ended before.
    pub async fn cancel(&self, tenant: TenantId, id: TaskId, why: &str) -> ApiResult<TaskStatus> {
        match agenticai_store::cancel(self.store.as_ref(), tenant, id, why).await? {
            CancelOutcome::Cancelled { seq, parent, in_thread } => {
                self.broker.poke(Poke::Ended(id));
                self.broker.publish(id, Live::Appended { last_seq: seq });
                if let Some(parent) = parent {
                    self.wake(parent.task);
                }
                if in_thread {
                    self.broker.hint();
                }
                Ok(TaskStatus::Cancelled)
            }
            CancelOutcome::AlreadyTerminal(status) => Ok(status),
            CancelOutcome::NotFound => Err(unknown_task(id)),
            CancelOutcome::Busy => Err(ApiError::new(
                BUSY_TASK,
                "The task's journal grew with every try to cancel it: try again.",
            )),
        }
    }

    /// Cancels the children of a task that has ended, and theirs.
    pub async fn cancel_children(&self, tenant: TenantId, id: TaskId) -> ApiResult<()> {
        let mut parents = vec![id];
        while let Some(parent) = parents.pop() {
            let open = vec![TaskStatus::Pending, TaskStatus::Running, TaskStatus::Waiting];
            let filter = TaskFilter { status: open, parent: Some(parent), ..TaskFilter::default() };
            let mut cursor = None;
            loop {
                let page = self.store.list_tasks(tenant, filter.clone(), cursor, PAGE).await?;
                for child in page.items {
                    self.cancel(tenant, child.head.id, &format!("its parent {parent} was cancelled")).await?;
                    parents.push(child.head.id);
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Says that a task's inbox has grown: to the process that holds it, or to whoever will.
    pub fn wake(&self, id: TaskId) {
        self.broker.poke(Poke::Inbox(id));
        self.broker.hint();
    }
}
