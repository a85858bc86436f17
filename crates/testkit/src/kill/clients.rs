//! Those who submit tasks and sometimes cancel them, and who write down what they were promised.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskStatus;
use agenticai_store::SUPERSEDED;
use agenticai_wire::{CreateTaskRequest, TaskView};
use anyhow::Context as _;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::plan::{Asking, Planned};
use crate::api::{Api, ApiError};
use crate::checker::Accepted;

/// How many submit at the same time.
const SUBMITTERS: usize = 4;

/// The pause before a request is sent again to a server that was killed.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Clients at work.
pub struct Clients(Vec<JoinHandle<anyhow::Result<Vec<Note>>>>);

/// What one client knows of one task.
#[derive(Debug)]
pub struct Note {
    planned: Planned,
    ids: Vec<TaskId>,
}

/// What all of them know.
pub struct Notes(Vec<Note>);

impl Clients {
    /// Starts them; each takes one permit of `gate` for a task.
    pub fn start(api: Api, plan: Vec<Planned>, gate: Arc<Semaphore>) -> Self {
        let plan = Arc::new(Mutex::new(plan.into_iter()));
        let submitter = || tokio::spawn(submit_all(api.clone(), plan.clone(), gate.clone()));
        Self((0..SUBMITTERS).map(|_| submitter()).collect())
    }

    /// Waits until every task is submitted, and every one to be cancelled has been.
    pub async fn join(self) -> anyhow::Result<Notes> {
        let mut notes = Vec::new();
        for client in self.0 {
            notes.extend(client.await.context("a client panicked")??);
        }
        Ok(Notes(notes))
    }
}

impl Notes {
    /// For the checker.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.0.iter().map(|note| Accepted { key: note.planned.key.clone(), ids: note.ids.clone() }).collect()
    }

    /// How many keys were asked for more than once, and how many of these by clients that had hung up before.
    pub fn asked_again(&self) -> (usize, usize) {
        let count =
            |which: fn(Asking) -> bool| self.0.iter().filter(|note| which(note.planned.asking)).count();
        (count(|asking| asking != Asking::Once), count(|asking| matches!(asking, Asking::HangingUp(_))))
    }

    /// Tasks that ended otherwise than their scripts say.
    pub fn unexpected(&self, tasks: &[TaskView], cancelled_by_people: &BTreeSet<TaskId>) -> Vec<String> {
        let tasks: HashMap<TaskId, &TaskView> = tasks.iter().map(|task| (task.id, task)).collect();
        let mut faults = Vec::new();
        for Note { planned, ids } in &self.0 {
            let Some(task) = ids.first().and_then(|id| tasks.get(id)) else { continue };
            let may_be_cancelled =
                planned.cancel_after_ms.is_some() || cancelled_by_people.contains(&task.id);
            let fits = match task.status {
                TaskStatus::Completed => {
                    planned.answer.as_ref().is_none_or(|answer| task.output == Some(answer.as_str().into()))
                }
                TaskStatus::Cancelled => may_be_cancelled || gave_way(planned, task),
                _ => false,
            };
            if !fits {
                let (status, output, error) = (task.status.as_str(), &task.output, &task.error);
                faults.push(format!("{} ({}) is {status}: {output:?} {error:?}", planned.key, task.id));
            }
        }
        faults
    }
}

/// Whether a task was cancelled for a newer one of its thread.
fn gave_way(planned: &Planned, task: &TaskView) -> bool {
    planned.thread.is_some() && task.error.as_ref().is_some_and(|error| error.message == SUPERSEDED)
}

async fn submit_all(
    api: Api,
    plan: Arc<Mutex<std::vec::IntoIter<Planned>>>,
    gate: Arc<Semaphore>,
) -> anyhow::Result<Vec<Note>> {
    let mut notes = Vec::new();
    let mut cancels = Vec::new();
    loop {
        gate.acquire().await?.forget();
        let next = plan.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(planned) = next else { break };
        let ids = ask(&api, &planned).await?;
        if let (Some(after), Some(id)) = (planned.cancel_after_ms, ids.first()) {
            cancels.push(tokio::spawn(cancel(api.clone(), *id, Duration::from_millis(after))));
        }
        notes.push(Note { planned, ids });
    }
    for cancel in cancels {
        cancel.await.context("a client panicked")??;
    }
    Ok(notes)
}

/// Asks as planned; answers every id that it was told.
async fn ask(api: &Api, planned: &Planned) -> anyhow::Result<Vec<TaskId>> {
    match planned.asking {
        Asking::Once => Ok(vec![create(api, planned).await?]),
        Asking::Twice => Ok(vec![create(api, planned).await?, create(api, planned).await?]),
        Asking::Together => together(api, planned).await,
        Asking::HangingUp(after_ms) => {
            let first = tokio::time::timeout(Duration::from_millis(after_ms), create(api, planned)).await;
            let mut ids = together(api, planned).await?;
            if let Ok(first) = first {
                ids.push(first?);
            }
            Ok(ids)
        }
    }
}

/// Asks two processes at the same time, or the same one twice where there is no other.
async fn together(api: &Api, planned: &Planned) -> anyhow::Result<Vec<TaskId>> {
    let each = api.each();
    let (one, other) = (&each[0], &each[each.len() - 1]);
    let (one, other) = tokio::try_join!(create(one, planned), create(other, planned))?;
    Ok(vec![one, other])
}

/// Asks under the same key until there is an answer.
async fn create(api: &Api, planned: &Planned) -> anyhow::Result<TaskId> {
    let request = CreateTaskRequest {
        agent: planned.agent.to_owned(),
        agent_version: None,
        input: planned.input.clone(),
        priority: None,
        timeout_seconds: None,
        metadata: serde_json::Map::new(),
        thread: planned.thread.as_ref().map(|(name, _)| name.clone()),
        if_active: planned.thread.as_ref().map(|(_, if_active)| *if_active),
        budget: None,
    };
    loop {
        match api.create_task(&request, &planned.key).await {
            Ok(task) => return Ok(task.id),
            Err(error) if error.passes() => tokio::time::sleep(AGAIN_AFTER).await,
            Err(refused) => anyhow::bail!("{}: {refused}", planned.key),
        }
    }
}

/// Asks until there is an answer; a task that has ended meanwhile is an answer too.
async fn cancel(api: Api, id: TaskId, after: Duration) -> anyhow::Result<()> {
    tokio::time::sleep(after).await;
    loop {
        match api.cancel(id).await {
            Ok(_) | Err(ApiError::Refused(409, _)) => return Ok(()),
            Err(error) if error.passes() => tokio::time::sleep(AGAIN_AFTER).await,
            Err(refused) => anyhow::bail!("cancelling {id}: {refused}"),
        }
    }
}
