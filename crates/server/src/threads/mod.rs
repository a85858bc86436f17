//! Threads.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod tasks;
pub(crate) mod view;

use uuid::Uuid;

use agenticai_domain::ids::{TaskId, TenantId, ThreadId};
use agenticai_domain::thread::check_name;
use agenticai_store::{CreateThread, InThread, NewThread, Principal, SUPERSEDED, ThreadRow, ThreadSelector};
use agenticai_wire::CreateTaskRequest;

use crate::problem::{ApiError, ApiResult, THREAD_BUSY, THREAD_FULL, UNKNOWN_THREAD};
use crate::state::Api;

/// Tasks that are cancelled at once for the one that replaces them; a sweep of the workers cancels the others.
const CANCELLED_AT_ONCE: usize = 16;

/// The problem of a name or id that is not there.
pub(crate) fn unknown(which: impl std::fmt::Display) -> ApiError {
    ApiError::new(UNKNOWN_THREAD, format!("There is no thread `{which}`: look at GET /api/v1/threads."))
}

/// The problem of a thread with a task that has not ended.
pub(crate) fn busy(active: TaskId) -> ApiError {
    let detail = format!(
        "The task {active} of the thread has not ended: wait for its end, or cancel it with POST \
         /api/v1/tasks/{active}/cancel."
    );
    ApiError::new(THREAD_BUSY, detail)
}

/// The problem of a thread whose queue has no place.
pub(crate) fn full() -> ApiError {
    ApiError::new(
        THREAD_FULL,
        format!(
            "{} tasks wait in the thread: wait until some have ended, or say `if_active: replace`.",
            agenticai_domain::thread::MOST_QUEUED
        ),
    )
}

impl Api {
    /// A thread, or the problem that there is none.
    pub async fn thread(&self, tenant: TenantId, which: &str) -> ApiResult<ThreadRow> {
        self.store.thread(tenant, ThreadSelector::from(which)).await?.ok_or_else(|| unknown(which))
    }

    /// The thread that a request for a task names. A name that nothing has yet makes the thread.
    pub async fn thread_of(&self, who: Principal, body: &CreateTaskRequest) -> ApiResult<Option<InThread>> {
        let Some(which) = &body.thread else { return Ok(None) };
        let if_active = body.if_active.unwrap_or_default();
        let name = match ThreadSelector::from(which.as_str()) {
            ThreadSelector::Id(id) => return Ok(Some(InThread { id, if_active })),
            ThreadSelector::Name(name) => name,
        };
        if let Some(row) = self.store.thread(who.tenant, ThreadSelector::Name(name.clone())).await? {
            return Ok(Some(InThread { id: row.id, if_active }));
        }
        let new = NewThread {
            id: ThreadId(Uuid::now_v7()),
            tenant: who.tenant,
            name: Some(name.clone()),
            created_by: Some(who.user),
        };
        let id = match self.store.create_thread(new).await? {
            CreateThread::Stored(row) => row.id,
            // Somebody was faster.
            CreateThread::NameTaken => self.thread(who.tenant, &name).await?.id,
        };
        Ok(Some(InThread { id, if_active }))
    }

    /// Cancels what gave way to a task that was created just now. The task is committed and comes after them whatever
    /// becomes of this: what is missed here is found by a sweep.
    pub async fn cancel_superseded(&self, tenant: TenantId, thread: ThreadId) {
        let superseded = match self.store.thread(tenant, ThreadSelector::Id(thread)).await {
            // The active one comes first: it is in the new one's way.
            Ok(Some(row)) => {
                let (mut tasks, others): (Vec<TaskId>, Vec<TaskId>) =
                    row.superseded.into_iter().partition(|task| Some(*task) == row.active);
                tasks.extend(others);
                tasks
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%thread, %error, "tasks that gave way to a newer one are cancelled later");
                return;
            }
        };
        for task in superseded.into_iter().take(CANCELLED_AT_ONCE) {
            let cancelled = match self.cancel(tenant, task, SUPERSEDED).await {
                Ok(_) => self.cancel_children(tenant, task).await,
                Err(error) => Err(error),
            };
            if let Err(error) = cancelled {
                tracing::warn!(%task, ?error, "a task that gave way to a newer one is cancelled later");
            }
        }
    }
}

/// What does not depend on what is stored.
pub(crate) fn check_request(body: &CreateTaskRequest) -> ApiResult<()> {
    match (&body.thread, body.if_active) {
        (None, Some(_)) => {
            Err(ApiError::invalid("if_active", "belongs to a task of a thread: say which in `thread`"))
        }
        (Some(which), _) => match ThreadSelector::from(which.as_str()) {
            ThreadSelector::Id(_) => Ok(()),
            ThreadSelector::Name(name) => check_name(&name).map_err(|why| ApiError::invalid("thread", why)),
        },
        (None, None) => Ok(()),
    }
}
