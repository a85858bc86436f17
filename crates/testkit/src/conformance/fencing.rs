//! Who may not append any more.

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskStatus;
use agenticai_store::AppendOutcome;
use uuid::Uuid;

use super::Lab;
use super::lab::{RunExt, entry, run, wait};

/// Dead is refused from the moment on at which it is said, before anybody has taken over.
pub async fn a_dead_worker_cannot_append(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")])).await;
    let beats = lab.store.observe_workers().await.unwrap()[0].beats;
    assert!(lab.store.mark_dead(worker, beats).await.unwrap());
    assert_eq!(lab.append(worker, run(&claimed, 2, vec![entry("b")])).await, AppendOutcome::Fenced);
    let empty_wait = run(&claimed, 2, vec![]).then(wait(0, None));
    assert_eq!(lab.append(worker, empty_wait).await, AppendOutcome::Fenced);
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty(), "nor is it given anything");
    lab.store.take_over(10).await.unwrap();
    let heir = lab.worker().await;
    let after = lab.claim_one(heir).await;
    assert_eq!(after.last_seq, 1);
    assert!(after.epoch > claimed.epoch);
    assert_eq!(lab.append(worker, run(&claimed, 2, vec![entry("b")])).await, AppendOutcome::Fenced);
    lab.accept(heir, run(&after, 2, vec![entry("b")])).await;
}

/// A run that was committed before the death is recognized after it: its result counts.
pub async fn a_dead_workers_committed_run_is_still_its_own(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let committed = run(&claimed, 1, vec![entry("a")]);
    let at = lab.accept(worker, committed.clone()).await;
    lab.kill(worker).await;
    assert_eq!(lab.append(worker, committed).await, AppendOutcome::AlreadyMine { at });
}

/// What was handed back is not one's own, also before another has it; claimed anew, only the new epoch counts.
pub async fn a_released_task_is_fenced(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.store.release(worker, vec![claimed.head.id]).await.unwrap();
    assert_eq!(lab.append(worker, run(&claimed, 1, vec![entry("a")])).await, AppendOutcome::Fenced);
    let again = lab.claim_one(worker).await;
    assert!(again.epoch > claimed.epoch);
    assert_eq!(lab.append(worker, run(&claimed, 1, vec![entry("a")])).await, AppendOutcome::Fenced);
    lab.accept(worker, run(&again, 1, vec![entry("a")])).await;
}

/// The epoch is checked, not only the owner: the same worker may hold the task again.
pub async fn a_stale_epoch_is_fenced(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(0, None))).await;
    assert_eq!(
        lab.append(worker, run(&claimed, 2, vec![entry("b")])).await,
        AppendOutcome::Fenced,
        "it let go"
    );
    lab.signal(task, "go").await;
    let again = lab.claim_one(worker).await;
    assert_eq!(lab.append(worker, run(&claimed, 2, vec![entry("b")])).await, AppendOutcome::Fenced);
    let mut future = run(&again, 2, vec![entry("b")]);
    future.epoch += 1;
    assert_eq!(lab.append(worker, future).await, AppendOutcome::Fenced);
    assert_eq!(lab.seqs(task).await, [1]);
}

/// Being alive and knowing the epoch is not enough.
pub async fn another_workers_task_is_fenced(lab: Lab) {
    let (_, claimed) = lab.running().await;
    let stranger = lab.worker().await;
    assert_eq!(lab.append(stranger, run(&claimed, 1, vec![entry("a")])).await, AppendOutcome::Fenced);
    let pending = lab.create(lab.new_task()).await.head.id;
    let mut unclaimed = run(&claimed, 1, vec![entry("a")]);
    unclaimed.task = pending;
    for epoch in [0, 1] {
        unclaimed.epoch = epoch;
        assert_eq!(lab.append(stranger, unclaimed.clone()).await, AppendOutcome::Fenced);
    }
}

/// What does not exist is nobody's own.
pub async fn an_unknown_task_is_fenced(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let mut lost = run(&claimed, 1, vec![entry("a")]);
    lost.task = TaskId(Uuid::new_v4());
    assert_eq!(lab.append(worker, lost).await, AppendOutcome::Fenced);
}

/// Everything that a dead worker held is ready once, in portions, and nothing else is.
pub async fn takeover_hands_over_everything_once(lab: Lab) {
    for _ in 0..5 {
        lab.create(lab.new_task()).await;
    }
    let worker = lab.worker().await;
    let held = lab.store.claim(worker, 10.into()).await.unwrap();
    let beats = lab.store.observe_workers().await.unwrap()[0].beats;
    assert_eq!(lab.store.take_over(10).await.unwrap(), 0, "it lives");
    assert!(lab.store.mark_dead(worker, beats).await.unwrap());
    assert_eq!(lab.store.take_over(2).await.unwrap(), 2);
    assert_eq!(lab.store.take_over(10).await.unwrap(), 3);
    assert_eq!(lab.store.take_over(10).await.unwrap(), 0);
    let heir = lab.worker().await;
    let claimed = lab.store.claim(heir, 10.into()).await.unwrap();
    assert_eq!(claimed.len(), 5);
    for claimed in claimed {
        let before = held.iter().find(|held| held.head.id == claimed.head.id).expect("held before");
        assert!(claimed.epoch > before.epoch);
    }
}

/// Nobody takes a task from a live worker.
pub async fn takeover_leaves_live_workers_alone(lab: Lab) {
    let (alive, held) = lab.running().await;
    let dead = lab.worker().await;
    lab.create(lab.new_task()).await;
    lab.claim_one(dead).await;
    assert_eq!(lab.kill(dead).await, 1);
    assert_eq!(lab.row(held.head.id).await.status, TaskStatus::Running);
    lab.accept(alive, run(&held, 1, vec![entry("a")])).await;
}

/// Death in the middle of a stream of appends: what was accepted is there, what was fenced is not, and after the
/// takeover nothing of the old epoch comes any more.
pub async fn appends_and_death_are_ordered(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let appending = {
        let (store, claimed) = (lab.store.clone(), claimed.clone());
        tokio::spawn(async move {
            let mut accepted = 0;
            loop {
                let next = run(&claimed, accepted + 1, vec![entry("x")]);
                match store.append(worker, vec![next]).await.unwrap().remove(0) {
                    AppendOutcome::Accepted { .. } => accepted += 1,
                    AppendOutcome::Fenced => return accepted,
                    other => panic!("{other:?}"),
                }
            }
        })
    };
    while lab.seqs(task).await.len() < 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lab.kill(worker).await, 1);
    let heir = lab.worker().await;
    let heirs = lab.claim_one(heir).await;
    lab.accept(heir, run(&heirs, heirs.last_seq + 1, vec![entry("heir")])).await;
    let accepted = appending.await.unwrap();
    assert_eq!(heirs.last_seq, accepted, "every accepted entry was there before the heir began");
    let journal = lab.store.read_journal(lab.tenant, task, 0, 10_000).await.unwrap();
    assert_eq!(journal.len() as u64, accepted + 1);
    assert!(journal.iter().take(accepted as usize).all(|entry| entry.epoch == claimed.epoch));
}
