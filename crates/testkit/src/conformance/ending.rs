//! Ends: one for each task.

use agenticai_domain::ids::TaskId;
use agenticai_domain::journal::Entry;
use agenticai_domain::task::TaskStatus;
use agenticai_store::{AppendOutcome, EndOutcome, Then};
use uuid::Uuid;

use super::Lab;
use super::lab::{RunExt, cancelled, completed, entry, run, spend, wait};

/// Once ended, nothing changes it: no run, no wait, no cancel.
pub async fn an_end_is_final(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let end = Then::End { end: completed("done"), spend: spend(1) };
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(end)).await;
    let row = lab.row(task).await;
    let more = [
        run(&claimed, 2, vec![entry("b")]),
        run(&claimed, 2, vec![]).then(wait(0, None)),
        run(&claimed, 2, vec![entry("b")]).then(Then::End { end: cancelled(), spend: spend(9) }),
    ];
    for run in more {
        assert_eq!(lab.append(worker, run).await, AppendOutcome::Terminal(TaskStatus::Completed));
    }
    for seq in [1, 2, 3] {
        let outcome = lab.store.end_task(lab.tenant, task, seq, cancelled(), spend(9)).await.unwrap();
        assert_eq!(outcome, EndOutcome::AlreadyTerminal(TaskStatus::Completed));
    }
    lab.store.release(worker, vec![task]).await.unwrap();
    lab.kill(worker).await;
    assert_eq!(lab.row(task).await, row);
    assert_eq!(lab.seqs(task).await, [1]);
    assert_eq!(lab.store.backlog().await.unwrap().0, 0, "it is not ready either");
}

/// The run that ends a task leaves its result in the row.
pub async fn the_last_entry_ends_it(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let end = Then::End { end: completed("the answer"), spend: spend(2) };
    let at = lab.accept(worker, run(&claimed, 1, vec![entry("a"), entry("b")]).then(end)).await;
    let row = lab.row(claimed.head.id).await;
    assert_eq!((row.status, row.end), (TaskStatus::Completed, Some(completed("the answer"))));
    assert_eq!((row.completed_at, row.last_seq, row.spend), (Some(at), 2, spend(2)));
    assert!(row.waiting_for.is_empty());
}

/// A cancel is an entry at the next seq, and the row says so.
pub async fn an_end_from_outside_is_an_entry(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")])).await;
    let outcome = lab.store.end_task(lab.tenant, task, 2, cancelled(), spend(1)).await.unwrap();
    assert_eq!(outcome, EndOutcome::Ended);
    let row = lab.row(task).await;
    assert_eq!((row.status, row.end, row.last_seq), (TaskStatus::Cancelled, Some(cancelled()), 2));
    let journal = lab.store.read_journal(lab.tenant, task, 1, 10).await.unwrap();
    assert_eq!(journal.len(), 1);
    assert!(matches!(&journal[0].entry, Entry::Ended(ended) if ended.end == cancelled()));
    assert_eq!((Some(journal[0].at), row.spend), (row.completed_at, spend(1)));
    assert!(journal[0].epoch >= claimed.epoch, "epochs never fall");
}

/// The worker whose seq a cancel took is told so, and its run is refused whole.
pub async fn a_cancel_overtakes_the_worker(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.store.end_task(lab.tenant, task, 1, cancelled(), spend(0)).await.unwrap();
    let outcome = lab.append(worker, run(&claimed, 1, vec![entry("a"), entry("b")])).await;
    let told = matches!(outcome, AppendOutcome::Overtaken | AppendOutcome::Terminal(TaskStatus::Cancelled));
    assert!(told, "{outcome:?}");
    assert_eq!(lab.seqs(task).await, [1]);
}

/// The cancel whose seq an entry took reads on and tries again.
pub async fn a_cancel_loses_to_an_entry(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.accept(worker, run(&claimed, 1, vec![entry("a"), entry("b")])).await;
    for seq in [0, 1, 2] {
        let outcome = lab.store.end_task(lab.tenant, task, seq, cancelled(), spend(0)).await.unwrap();
        assert_eq!(outcome, EndOutcome::Overtaken, "seq {seq}");
    }
    assert_eq!(lab.row(task).await.status, TaskStatus::Running);
    let outcome = lab.store.end_task(lab.tenant, task, 3, cancelled(), spend(0)).await.unwrap();
    assert_eq!(outcome, EndOutcome::Ended);
}

/// However many cancel and complete at once, one end is written.
pub async fn two_cancels_end_it_once(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let end = run(&claimed, 1, vec![entry("a")]).then(Then::End { end: completed("x"), spend: spend(1) });
    let (a, b, c) = tokio::join!(
        lab.store.end_task(lab.tenant, task, 1, cancelled(), spend(0)),
        lab.append(worker, end),
        lab.store.end_task(lab.tenant, task, 1, cancelled(), spend(0)),
    );
    let cancels =
        [a.unwrap(), c.unwrap()].into_iter().filter(|outcome| *outcome == EndOutcome::Ended).count();
    let completions = usize::from(matches!(b, AppendOutcome::Accepted { .. }));
    assert_eq!(cancels + completions, 1, "{b:?}");
    assert_eq!(lab.seqs(task).await, [1]);
}

/// A task that nobody runs is ended as well, and nobody is given it afterwards.
pub async fn ready_and_waiting_tasks_are_ended_too(lab: Lab) {
    let now = lab.store.now().await.unwrap();
    let (worker, waiting) = lab.waiting(Some(now - 1)).await;
    let ready = lab.create(lab.new_task()).await.head.id;
    assert_eq!(
        lab.store.end_task(lab.tenant, ready, 1, cancelled(), spend(0)).await.unwrap(),
        EndOutcome::Ended
    );
    assert_eq!(
        lab.store.end_task(lab.tenant, waiting, 2, cancelled(), spend(0)).await.unwrap(),
        EndOutcome::Ended
    );
    assert!(lab.row(waiting).await.waiting_for.is_empty());
    assert_eq!(lab.store.wake_due(10).await.unwrap(), 0);
    assert_eq!(lab.store.next_due_in().await.unwrap(), None);
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty());
    assert_eq!(lab.store.backlog().await.unwrap(), (0, 0));
}

/// A tenant ends its own tasks only.
pub async fn ends_belong_to_their_tenant(lab: Lab) {
    let (other, _) = lab.other_tenant().await;
    let task = lab.create(lab.new_task()).await.head.id;
    let nobody = TaskId(Uuid::new_v4());
    for (tenant, id) in [(other, task), (lab.tenant, nobody)] {
        let outcome = lab.store.end_task(tenant, id, 1, cancelled(), spend(0)).await.unwrap();
        assert_eq!(outcome, EndOutcome::NotFound);
    }
    assert_eq!(lab.row(task).await.status, TaskStatus::Pending);
}
