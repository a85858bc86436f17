//! A store that was restored to an earlier point: whatever had not ended waits for somebody's word.

use agenticai_domain::ids::{TaskId, ThreadId};
use agenticai_domain::schedule::Overlap;
use agenticai_domain::task::TaskStatus;
use agenticai_domain::thread::IfActive;
use agenticai_store::*;

use super::Lab;
use super::lab::{RunExt, cancelled, completed, entry, run, spend, wait};
use super::schedules::{change, stored};

impl Lab {
    /// Nobody is given anything, whatever the time and whoever has died.
    async fn nothing_moves(&self) {
        let worker = self.worker().await;
        self.store.take_over(100).await.unwrap();
        assert_eq!(self.store.wake_due(100).await.unwrap(), 0);
        assert_eq!(self.store.next_due_in().await.unwrap(), None);
        assert_eq!(self.store.claim(worker, 100.into()).await.unwrap(), []);
        assert_eq!(self.store.backlog().await.unwrap().0, 0);
        self.store.retire_worker(worker).await.unwrap();
    }

    async fn release_all(&self) -> u64 {
        self.store.release_paused(PausedTasks::All).await.unwrap()
    }

    async fn paused(&self, task: TaskId) -> bool {
        self.row(task).await.paused_at.is_some()
    }
}

/// Ready, held and waiting tasks are paused, their workers are dead, and what has ended stays as it is.
pub async fn what_has_not_ended_is_paused(lab: Lab) {
    let (worker, ended) = lab.running().await;
    let end = Then::End { end: completed("x"), spend: spend(1) };
    lab.accept(worker, run(&ended, 1, vec![entry("x")]).then(end)).await;
    let (_, waiting) = lab.waiting(None).await;
    let (_, timer) = lab.waiting(Some(lab.store.now().await.unwrap() - 1)).await;
    let (holder, held) = lab.running().await;
    let ready = lab.create(lab.new_task()).await.head.id;
    assert_eq!(lab.store.declare_restored().await.unwrap(), 4);
    assert_eq!(lab.store.beat(holder).await.unwrap(), Beat::Dead);
    assert_eq!(lab.append(holder, run(&held, 1, vec![entry("late")])).await, AppendOutcome::Fenced);
    lab.nothing_moves().await;
    for task in [waiting, timer, held.head.id, ready] {
        let row = lab.row(task).await;
        assert_eq!((row.status, row.paused_at.is_some()), (TaskStatus::Pending, true));
    }
    assert!(!lab.paused(ended.head.id).await);
    assert_eq!(lab.row(ended.head.id).await.status, TaskStatus::Completed);
    assert_eq!(lab.store.declare_restored().await.unwrap(), 0, "they are paused already");
}

/// One, those of a tenant, all: each goes on where its journal ends, under an epoch far above what may have been lost.
pub async fn released_tasks_go_on(lab: Lab) {
    let (worker, first) = lab.running().await;
    lab.accept(worker, run(&first, 1, vec![entry("a")])).await;
    let second = lab.create(lab.new_task()).await.head.id;
    let (tenant, agent) = lab.other_tenant().await;
    let foreign = lab.create(super::lab::new_task(tenant, agent)).await.head.id;
    assert_eq!(lab.store.declare_restored().await.unwrap(), 3);
    assert_eq!(lab.store.release_paused(PausedTasks::One(first.head.id)).await.unwrap(), 1);
    assert_eq!(lab.store.release_paused(PausedTasks::One(first.head.id)).await.unwrap(), 0);
    let heir = lab.worker().await;
    let claimed = lab.claim_one(heir).await;
    assert_eq!((claimed.head.id, claimed.last_seq), (first.head.id, 1));
    assert!(claimed.epoch > first.epoch + 100_000, "{} after {}", claimed.epoch, first.epoch);
    lab.accept(heir, run(&claimed, 2, vec![entry("b")])).await;
    assert_eq!(lab.store.release_paused(PausedTasks::Tenant("nobody".to_owned())).await.unwrap(), 0);
    assert_eq!(lab.store.release_paused(PausedTasks::Tenant("home".to_owned())).await.unwrap(), 1);
    assert_eq!(lab.claim_one(heir).await.head.id, second);
    assert_eq!(lab.release_all().await, 1);
    assert_eq!(lab.claim_one(heir).await.head.id, foreign);
    assert_eq!(lab.release_all().await, 0);
}

/// A message to a paused task is kept, and wakes nobody; once released, the task has it.
pub async fn a_released_wait_hears_what_came_meanwhile(lab: Lab) {
    let (_, task) = lab.waiting(None).await;
    lab.store.declare_restored().await.unwrap();
    assert_eq!(lab.signal(task, "go").await, DeliverOutcome::Delivered);
    lab.nothing_moves().await;
    lab.release_all().await;
    let worker = lab.worker().await;
    let claimed = lab.claim_one(worker).await;
    assert_eq!((claimed.last_seq, claimed.inbox_seq), (1, 1));
    // It may find that what came is not what it waits for.
    lab.accept(worker, run(&claimed, 2, vec![]).then(wait(1, None))).await;
    assert_eq!(lab.row(task).await.status, TaskStatus::Waiting);
}

/// A cancel needs no release, and an end is final.
pub async fn paused_tasks_can_be_cancelled(lab: Lab) {
    let (_, waiting) = lab.waiting(None).await;
    let ready = lab.create(lab.new_task()).await.head.id;
    lab.store.declare_restored().await.unwrap();
    for (task, seq) in [(waiting, 2), (ready, 1)] {
        let outcome = lab.store.end_task(lab.tenant, task, seq, cancelled(), spend(0)).await.unwrap();
        assert_eq!(outcome, EndOutcome::Ended);
        let row = lab.row(task).await;
        assert_eq!((row.status, row.paused_at), (TaskStatus::Cancelled, None));
    }
    assert_eq!(lab.release_all().await, 0);
    lab.nothing_moves().await;
}

/// Released in any order, the tasks of a thread take turns; one whose turn comes while it is paused waits.
pub async fn a_paused_thread_stays_in_order(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(lab.create_in(thread, IfActive::Queue).await.head.id);
    }
    assert_eq!(lab.store.declare_restored().await.unwrap(), 3);
    // The last one is released and waits for its turn all the same.
    assert_eq!(lab.store.release_paused(PausedTasks::One(tasks[2])).await.unwrap(), 1);
    lab.nothing_moves().await;
    let cancel = async |task| lab.store.end_task(lab.tenant, task, 1, cancelled(), spend(0)).await.unwrap();
    assert_eq!(cancel(tasks[0]).await, EndOutcome::Ended);
    lab.nothing_moves().await;
    assert_eq!(active(&lab, thread).await, Some(tasks[1]));
    assert_eq!(lab.release_all().await, 1);
    let worker = lab.worker().await;
    assert_eq!(lab.claim_one(worker).await.head.id, tasks[1]);
    assert_eq!(cancel(tasks[1]).await, EndOutcome::Ended);
    assert_eq!(lab.claim_one(worker).await.head.id, tasks[2]);
}

async fn active(lab: &Lab, thread: ThreadId) -> Option<TaskId> {
    lab.store.thread(lab.tenant, ThreadSelector::Id(thread)).await.unwrap().unwrap().active
}

/// The declaration is about what was there.
pub async fn what_comes_after_a_restore_is_not_paused(lab: Lab) {
    lab.create(lab.new_task()).await;
    lab.store.declare_restored().await.unwrap();
    let new = lab.create(lab.new_task()).await.head.id;
    let worker = lab.worker().await;
    assert_eq!(lab.claim_one(worker).await.head.id, new);
    assert!(!lab.paused(new).await);
}

/// An occurrence that was due before may have been fired in what was lost; a later one cannot.
pub async fn occurrences_from_before_a_restore_are_paused(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    assert!(row.next_fire_at.unwrap() < lab.store.now().await.unwrap(), "it is overdue");
    lab.store.declare_restored().await.unwrap();
    let fired = lab.fire_next(row.id).await;
    assert!(lab.paused(fired.task).await);
    lab.nothing_moves().await;
    assert_eq!(lab.release_all().await, 1);
    let worker = lab.worker().await;
    assert_eq!(lab.claim_one(worker).await.head.id, fired.task);
    lab.end(fired.task).await;
    let later = Some(lab.store.now().await.unwrap() + 3_600_000);
    let row = lab.schedule_row(row.id).await;
    stored(lab.change(&row, change(&row, None, later)).await);
    assert!(!lab.paused(lab.fire_next(row.id).await.task).await);
}

/// Lists and counts of pending tasks hold each of them once, and there is a list of them alone.
pub async fn paused_tasks_are_listed(lab: Lab) {
    let (_, waiting) = lab.waiting(None).await;
    let thread = lab.thread(None).await.id;
    let active = lab.create_in(thread, IfActive::Queue).await.head.id;
    let queued = lab.create_in(thread, IfActive::Queue).await.head.id;
    lab.store.declare_restored().await.unwrap();
    let free = lab.create(lab.new_task()).await.head.id;
    let list = async |filter: TaskFilter| {
        let count = lab.store.count_tasks(lab.tenant, filter.clone()).await.unwrap();
        let page = lab.store.list_tasks(lab.tenant, filter, None, 10).await.unwrap();
        let ids: Vec<TaskId> = page.items.iter().map(|row| row.head.id).collect();
        assert_eq!(ids.len() as u64, count);
        ids
    };
    let pending = TaskFilter { status: vec![TaskStatus::Pending], ..TaskFilter::default() };
    assert_eq!(list(pending).await, [free, queued, active, waiting]);
    let paused = TaskFilter { paused: true, ..TaskFilter::default() };
    assert_eq!(list(paused.clone()).await, [queued, active, waiting]);
    let in_thread = TaskFilter { thread: Some(thread), ..paused.clone() };
    assert_eq!(list(in_thread).await, [queued, active]);
    let waits = TaskFilter { status: vec![TaskStatus::Waiting], ..paused };
    assert_eq!(list(waits).await, []);
}
