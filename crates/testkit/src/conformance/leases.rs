//! Workers, their beats, and claims.

use agenticai_domain::task::TaskStatus;
use agenticai_store::{Beat, WorkerId};

use super::Lab;
use super::lab::{entry, run};

/// Observers see the counter move with every beat.
pub async fn beats_move_the_counter(lab: Lab) {
    let (quiet, lively) = (lab.worker().await, lab.worker().await);
    let before = lab.store.observe_workers().await.unwrap();
    assert_eq!(before.len(), 2);
    for _ in 0..3 {
        assert!(matches!(lab.store.beat(lively).await.unwrap(), Beat::Alive { .. }));
    }
    let after = lab.store.observe_workers().await.unwrap();
    let counter = |seen: &[agenticai_store::Observed], worker: WorkerId| {
        seen.iter().find(|seen| seen.worker == worker).expect("it is observed").beats
    };
    assert_eq!(counter(&before, quiet), counter(&after, quiet));
    assert_ne!(counter(&before, lively), counter(&after, lively));
}

/// An observation that is out of date kills nobody.
pub async fn a_worker_that_moved_is_not_declared_dead(lab: Lab) {
    let worker = lab.worker().await;
    let beats = lab.store.observe_workers().await.unwrap()[0].beats;
    lab.store.beat(worker).await.unwrap();
    assert!(!lab.store.mark_dead(worker, beats).await.unwrap());
    assert!(matches!(lab.store.beat(worker).await.unwrap(), Beat::Alive { .. }));
}

/// A dead worker stays dead, is told so, is observed no more, and its number does not come back.
pub async fn death_is_final(lab: Lab) {
    let worker = lab.worker().await;
    let beats = lab.store.observe_workers().await.unwrap()[0].beats;
    assert!(lab.store.mark_dead(worker, beats).await.unwrap());
    assert!(!lab.store.mark_dead(worker, beats).await.unwrap(), "it was dead");
    assert_eq!(lab.store.beat(worker).await.unwrap(), Beat::Dead);
    assert!(lab.store.observe_workers().await.unwrap().is_empty());
    assert_ne!(lab.worker().await, worker);
    assert_eq!(lab.store.beat(worker).await.unwrap(), Beat::Dead);
    assert_eq!(lab.store.beat(WorkerId(i64::MAX)).await.unwrap(), Beat::Dead, "nor does a stranger live");
    assert!(!lab.store.mark_dead(WorkerId(i64::MAX), 0).await.unwrap());
}

/// A worker that has left is dead at once, and what it still held is handed over.
pub async fn a_retired_worker_holds_nothing(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.store.retire_worker(worker).await.unwrap();
    lab.store.retire_worker(worker).await.unwrap();
    assert_eq!(lab.store.beat(worker).await.unwrap(), Beat::Dead);
    assert!(lab.store.observe_workers().await.unwrap().is_empty());
    assert_eq!(lab.store.take_over(10).await.unwrap(), 1);
    let heir = lab.worker().await;
    assert_eq!(lab.claim_one(heir).await.head.id, claimed.head.id);
}

/// However many claim at once, a task is given to one.
pub async fn claims_are_exclusive(lab: Lab) {
    for _ in 0..20 {
        lab.create(lab.new_task()).await;
    }
    let mut claims = Vec::new();
    for _ in 0..5 {
        let (store, worker) = (lab.store.clone(), lab.worker().await);
        claims.push(tokio::spawn(async move { store.claim(worker, 7.into()).await.unwrap() }));
    }
    let mut given = Vec::new();
    for claim in claims {
        let claimed = claim.await.unwrap();
        assert!(claimed.len() <= 7, "no more than asked for");
        given.extend(claimed.into_iter().map(|claimed| claimed.head.id));
    }
    assert_eq!(given.len(), 20);
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 20, "each once");
    let late = lab.worker().await;
    assert_eq!(lab.store.claim(late, 7.into()).await.unwrap(), [], "and none is left");
}

/// Higher priority first, then the order of creation.
pub async fn urgent_tasks_go_first(lab: Lab) {
    let mut expected = Vec::new();
    for priority in [1, 5, 10, 5] {
        let mut task = lab.new_task();
        task.priority = priority;
        expected.push((task.id, priority));
        lab.create(task).await;
        // Tasks of one millisecond have no order.
        let created = lab.store.now().await.unwrap();
        while lab.store.now().await.unwrap() == created {
            tokio::task::yield_now().await;
        }
    }
    expected.sort_by_key(|(_, priority)| std::cmp::Reverse(*priority));
    let worker = lab.worker().await;
    let mut given = Vec::new();
    for _ in 0..4 {
        given.push(lab.store.claim(worker, 1.into()).await.unwrap().remove(0).head.id);
    }
    assert_eq!(given, expected.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
}

/// A worker is given no task in a format that it cannot read.
pub async fn claims_leave_newer_formats_alone(lab: Lab) {
    lab.create(lab.new_task()).await;
    let old = lab.worker_reading(0).await;
    assert!(lab.store.claim(old, 10.into()).await.unwrap().is_empty());
    let current = lab.worker().await;
    lab.claim_one(current).await;
}

/// A claim carries the head, the epoch, and how far journal and inbox are.
pub async fn a_claim_tells_where_the_task_stands(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let row = lab.row(claimed.head.id).await;
    assert_eq!((&row.head, row.status), (&claimed.head, TaskStatus::Running));
    assert_eq!((claimed.last_seq, claimed.inbox_seq), (0, 0));
    assert!(row.started_at.is_some_and(|at| at >= row.head.created_at));
    lab.accept(worker, run(&claimed, 1, vec![entry("a"), entry("b")])).await;
    lab.signal(claimed.head.id, "one").await;
    lab.kill(worker).await;
    let heir = lab.worker().await;
    let again = lab.claim_one(heir).await;
    assert_eq!((again.head, again.last_seq, again.inbox_seq), (claimed.head, 2, 1));
    assert_eq!(lab.row(row.head.id).await.started_at, row.started_at, "of the first claim");
}

/// A worker can ask what it holds: of what was claimed, not of what waits, was let go, or is another's.
pub async fn a_worker_can_ask_what_it_holds(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let (other, _) = lab.waiting(None).await;
    assert_eq!(lab.store.held(worker).await.unwrap(), [claimed.head.id]);
    assert!(lab.store.held(other).await.unwrap().is_empty(), "its task waits");
    lab.store.release(worker, vec![claimed.head.id]).await.unwrap();
    assert!(lab.store.held(worker).await.unwrap().is_empty());
    lab.claim_one(other).await;
    assert!(lab.store.held(worker).await.unwrap().is_empty());
    assert_eq!(lab.store.held(other).await.unwrap(), [claimed.head.id]);
}

/// What is handed back is ready; what is not one's own stays where it is.
pub async fn release_hands_back(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let stranger = lab.worker().await;
    lab.store.release(stranger, vec![claimed.head.id]).await.unwrap();
    assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Running);
    lab.store.release(worker, vec![claimed.head.id, claimed.head.id]).await.unwrap();
    assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Pending);
    assert_eq!(lab.store.backlog().await.unwrap().0, 1);
    assert!(lab.claim_one(stranger).await.epoch > claimed.epoch);
    lab.store.release(worker, vec![claimed.head.id]).await.unwrap();
    assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Running, "it is another's now");
}

/// The number of ready tasks and the age of the oldest, whatever their priorities.
pub async fn the_backlog_is_counted(lab: Lab) {
    assert_eq!(lab.store.backlog().await.unwrap(), (0, 0));
    let mut oldest = lab.new_task();
    oldest.priority = 1;
    let oldest = lab.create(oldest).await.head;
    let mut urgent = lab.new_task();
    urgent.priority = 10;
    lab.create(urgent).await;
    let (ready, age) = lab.store.backlog().await.unwrap();
    assert_eq!(ready, 2);
    let now = lab.store.now().await.unwrap();
    assert!(age <= (now - oldest.created_at) as u64, "{age} ms is older than the oldest task");
    let worker = lab.worker().await;
    lab.store.claim(worker, 10.into()).await.unwrap();
    assert_eq!(lab.store.backlog().await.unwrap(), (0, 0));
}

/// Time does not fall, whoever asks.
pub async fn the_clock_never_goes_back(lab: Lab) {
    let worker = lab.worker().await;
    let mut last = lab.store.now().await.unwrap();
    for _ in 0..50 {
        let Beat::Alive { now } = lab.store.beat(worker).await.unwrap() else { panic!("it lives") };
        let created = lab.create(lab.new_task()).await.head.created_at;
        assert!(last <= now && now <= created);
        last = created;
    }
}
