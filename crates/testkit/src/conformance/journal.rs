//! Appending and reading entries.

use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::CallOutcome;
use agenticai_domain::outcome::{ToolOutcome, ToolResult};
use agenticai_domain::task::TaskStatus;
use agenticai_domain::usage::Spend;
use agenticai_store::{AppendOutcome, Then};
use serde_json::json;
use uuid::Uuid;

use super::Lab;
use super::lab::{RunExt, completed, content, entry, run, spend, wait};

/// Entries come back in order, with seq, epoch and time, and from where one asks.
pub async fn entries_read_back_in_order(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let first = lab.accept(worker, run(&claimed, 1, vec![entry("a"), entry("b")])).await;
    let second = lab.accept(worker, run(&claimed, 3, vec![entry("c")])).await;
    let all = lab.store.read_journal(lab.tenant, task, 0, 10).await.unwrap();
    let read: Vec<_> = all.iter().map(|e| (e.seq, e.epoch, e.at, content(&e.entry))).collect();
    let epoch = claimed.epoch;
    assert_eq!(read, [(1, epoch, first, "a"), (2, epoch, first, "b"), (3, epoch, second, "c")]);
    let after = lab.store.read_journal(lab.tenant, task, 1, 1).await.unwrap();
    assert_eq!(after, all[1..2]);
    assert!(lab.store.read_journal(lab.tenant, task, 3, 10).await.unwrap().is_empty());
    assert!(lab.store.read_journal(lab.tenant, task, u64::MAX, 10).await.unwrap().is_empty());
}

/// The same run again is answered with its first time, and is not written twice; also when the journal went on.
pub async fn a_resent_run_is_recognized(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let first = run(&claimed, 1, vec![entry("a"), entry("b")]);
    let at = lab.accept(worker, first.clone()).await;
    assert_eq!(lab.append(worker, first.clone()).await, AppendOutcome::AlreadyMine { at });
    let end = run(&claimed, 3, vec![entry("c")]).then(Then::End { end: completed("c"), spend: spend(1) });
    let ended = lab.accept(worker, end.clone()).await;
    assert_eq!(lab.append(worker, first).await, AppendOutcome::AlreadyMine { at });
    assert_eq!(
        lab.append(worker, end).await,
        AppendOutcome::AlreadyMine { at: ended },
        "also after its own end"
    );
    assert_eq!(lab.seqs(claimed.head.id).await, [1, 2, 3]);
}

/// Equal entries under another number are another run: they did not take the seq, somebody else did.
pub async fn a_resent_run_is_recognized_by_its_number_alone(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")])).await;
    assert_eq!(lab.append(worker, run(&claimed, 1, vec![entry("a")])).await, AppendOutcome::Overtaken);
    let mut extremes = [run(&claimed, 2, vec![entry("b")]), run(&claimed, 3, vec![entry("c")])];
    (extremes[0].run, extremes[1].run) = (u64::MAX, 0);
    for run in extremes {
        let at = lab.accept(worker, run.clone()).await;
        assert_eq!(lab.append(worker, run).await, AppendOutcome::AlreadyMine { at });
    }
}

/// A run that leaves a hole is a mistake of the worker and is refused.
pub async fn a_gap_is_refused(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    for first_seq in [2, 7, u64::MAX] {
        let outcome = lab.append(worker, run(&claimed, first_seq, vec![entry("x")])).await;
        assert!(matches!(outcome, AppendOutcome::Refused(_)), "{outcome:?}");
    }
    assert!(lab.seqs(claimed.head.id).await.is_empty());
}

/// One batch, several tasks: each run has its own outcome, in the order of the runs.
pub async fn runs_are_accepted_each_by_itself(lab: Lab) {
    for _ in 0..3 {
        lab.create(lab.new_task()).await;
    }
    let worker = lab.worker().await;
    let claimed = lab.store.claim(worker, 3.into()).await.unwrap();
    lab.accept(worker, run(&claimed[1], 1, vec![entry("before")])).await;
    let mut stale = run(&claimed[2], 1, vec![entry("stale")]);
    stale.epoch += 1;
    let batch = vec![
        run(&claimed[0], 1, vec![entry("a"), entry("b")]),
        run(&claimed[1], 1, vec![entry("taken")]),
        stale,
        run(&claimed[2], 1, vec![entry("c")]),
        run(&claimed[0], 9, vec![entry("gap")]),
    ];
    let outcomes = lab.store.append(worker, batch).await.unwrap();
    assert!(matches!(outcomes[0], AppendOutcome::Accepted { .. }), "{outcomes:?}");
    assert_eq!(outcomes[1..3], [AppendOutcome::Overtaken, AppendOutcome::Fenced]);
    assert!(matches!(outcomes[3], AppendOutcome::Accepted { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[4], AppendOutcome::Refused(_)), "{outcomes:?}");
    assert_eq!(lab.seqs(claimed[0].head.id).await, [1, 2]);
    assert_eq!(lab.seqs(claimed[1].head.id).await, [1]);
    assert_eq!(lab.seqs(claimed[2].head.id).await, [1]);
}

/// Whatever refuses a run, nothing of it is there: no entry, no child, no change of state.
pub async fn a_run_is_accepted_whole_or_not_at_all(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.signal(claimed.head.id, "unseen").await;
    let mut homeless = lab.new_task();
    homeless.agent_version = 99;
    let refused = [
        run(&claimed, 1, vec![entry("a"), entry("b")]).then(wait(0, None)),
        run(&claimed, 1, vec![entry("a"), entry("b")]).with_children(vec![lab.new_task(), homeless]),
    ];
    for run in refused {
        let outcome = lab.append(worker, run.clone()).await;
        assert!(matches!(outcome, AppendOutcome::InboxMoved | AppendOutcome::Refused(_)), "{outcome:?}");
        assert!(lab.seqs(claimed.head.id).await.is_empty(), "{outcome:?} left entries");
        for child in &run.children {
            assert_eq!(lab.store.task(lab.tenant, child.id).await.unwrap(), None, "{outcome:?} left a child");
        }
        assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Running);
    }
    lab.accept(worker, run(&claimed, 1, vec![entry("a")])).await;
}

/// Only a wait can do without entries.
pub async fn a_run_without_entries_must_wait(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    for then in [Then::Continue, Then::End { end: completed("x"), spend: Spend::default() }] {
        let outcome = lab.append(worker, run(&claimed, 1, vec![]).then(then)).await;
        assert!(matches!(outcome, AppendOutcome::Refused(_)), "{outcome:?}");
    }
    lab.accept(worker, run(&claimed, 1, vec![]).then(wait(0, None))).await;
    assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Waiting);
}

/// Spend and the newest seq reach the row with a wait and with the end.
pub async fn only_wait_and_end_touch_the_row(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(0, None))).await;
    let waiting = lab.row(task).await;
    assert_eq!((waiting.last_seq, waiting.spend, waiting.completed_at), (1, spend(1), None));
    lab.signal(task, "go").await;
    let claimed = lab.claim_one(worker).await;
    let unpriced = Spend { cost: None, ..spend(2) };
    let end = Then::End { end: completed("b"), spend: unpriced };
    let at = lab.accept(worker, run(&claimed, 2, vec![entry("b")]).then(end)).await;
    let ended = lab.row(task).await;
    assert_eq!((ended.last_seq, ended.spend, ended.completed_at), (2, unpriced, Some(at)));
    assert_eq!(ended.started_at, waiting.started_at, "of the first claim");
}

/// Along a journal neither time nor epoch falls, through takeovers too.
pub async fn times_and_epochs_never_fall(lab: Lab) {
    let task = lab.create(lab.new_task()).await.head;
    let mut seq = 0;
    for _ in 0..4 {
        let worker = lab.worker().await;
        let claimed = lab.claim_one(worker).await;
        assert_eq!(claimed.last_seq, seq);
        for _ in 0..3 {
            seq += 1;
            lab.accept(worker, run(&claimed, seq, vec![entry("x")])).await;
        }
        assert_eq!(lab.kill(worker).await, 1);
    }
    let entries = lab.store.read_journal(lab.tenant, task.id, 0, 100).await.unwrap();
    assert_eq!(entries.len(), 12);
    assert!(entries[0].at >= task.created_at);
    assert!(entries.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].epoch <= pair[1].epoch));
    assert!(entries[2].epoch < entries[3].epoch, "every owner has its own");
}

/// Newest seq and status of the tasks that exist.
pub async fn last_seqs_tells_what_exists(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a"), entry("b")])).await;
    let fresh = lab.create(lab.new_task()).await.head.id;
    let mut found = lab.store.last_seqs(vec![claimed.head.id, TaskId(Uuid::new_v4()), fresh]).await.unwrap();
    found.sort_by_key(|(task, ..)| *task);
    let mut expected = vec![(claimed.head.id, 2, TaskStatus::Running), (fresh, 0, TaskStatus::Pending)];
    expected.sort_by_key(|(task, ..)| *task);
    assert_eq!(found, expected);
}

/// What came too late is kept for people and does not touch the journal.
pub async fn late_results_are_kept_beside_the_journal(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.kill(worker).await;
    let outcome = |result| ToolOutcome { step: StepId::call(2, 1), result, attempts: 1, took_ms: 5 };
    let paid = ToolResult::Ended(CallOutcome::Ok { content: json!({"paid": "a\u{0}b"}) });
    lab.store.keep_late_result(task, claimed.epoch, outcome(paid)).await.unwrap();
    let lost = ToolResult::Uncertain { reason: "cut off".to_owned() };
    lab.store.keep_late_result(task, claimed.epoch, outcome(lost)).await.unwrap();
    let kept = lab.store.late_results(lab.tenant, task).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|(epoch, step, _)| (*epoch, *step) == (claimed.epoch, StepId::call(2, 1))));
    assert!(kept[0].2.contains("paid") && kept[1].2.contains("cut off"), "{kept:?}");
    assert!(lab.seqs(task).await.is_empty());
    let (other, _) = lab.other_tenant().await;
    assert!(lab.store.late_results(other, task).await.unwrap().is_empty());
}

/// A tenant reads its own journals only.
pub async fn journals_belong_to_their_tenant(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.accept(worker, run(&claimed, 1, vec![entry("ours")])).await;
    let (other, _) = lab.other_tenant().await;
    assert!(lab.store.read_journal(other, claimed.head.id, 0, 10).await.unwrap().is_empty());
}
