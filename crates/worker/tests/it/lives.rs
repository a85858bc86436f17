//! Sunny days: ends, waits, cancels, and a stop that loses nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use agenticai_broker::{Broker, Poke};
use agenticai_domain::inbox::InboxBody;
use agenticai_domain::journal::Entry;
use agenticai_domain::task::{TaskStatus, WaitKind};
use agenticai_store::{CancelOutcome, DeliverOutcome, Tasks, cancel};
use serde_json::json;

use crate::bench::{Bench, Scripted, answer, eventually};

#[tokio::test]
async fn a_task_runs_to_its_end_and_no_step_twice() {
    let bench = Bench::new().await;
    let performer = Arc::new(Scripted::calling(&["read", "charge", "read"]));
    let worker = bench.work(performer.clone());
    let task = bench.submit().await;
    let row = bench.until(task, TaskStatus::Completed).await;
    assert_eq!(row.last_seq, bench.journal(task).await.last().unwrap().seq);
    let calls = performer.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert!(calls.values().all(|n| *n == 1), "{calls:?}");
    worker.drain().await;
}

#[tokio::test]
async fn a_waiting_task_is_in_nobodys_memory_and_wakes_by_itself() {
    let bench = Bench::new().await;
    let worker = bench.work(Arc::new(Scripted::calling(&["sleep"])));
    let task = bench.submit().await;
    let row = bench.until(task, TaskStatus::Waiting).await;
    assert_eq!(row.waiting_for[0].kind, WaitKind::Timer);
    bench.until(task, TaskStatus::Completed).await;
    let journal = bench.journal(task).await;
    let turn = journal.iter().find(|r| matches!(r.entry, Entry::Turn(_))).unwrap().at;
    let fired = journal.iter().find(|r| matches!(r.entry, Entry::TimerFired(_))).unwrap().at;
    assert!(fired - turn >= 300, "it slept for {} ms instead of 300", fired - turn);
    worker.drain().await;
}

#[tokio::test]
async fn an_answer_from_a_person_wakes_it() {
    let bench = Bench::new().await;
    let worker = bench.work(Arc::new(Scripted::calling(&["ask_human"])));
    let task = bench.submit().await;
    let step = bench.until(task, TaskStatus::Waiting).await.waiting_for[0].step;
    let body = InboxBody::Input { step, value: json!("blue"), by: None };
    for expected in [DeliverOutcome::Delivered, DeliverOutcome::Duplicate] {
        let delivered = bench.store.deliver(bench.tenant, task, "input".into(), body.clone()).await.unwrap();
        if delivered != expected {
            assert!(matches!(delivered, DeliverOutcome::AlreadyTerminal(_)), "{delivered:?}");
        }
        bench.broker.hint();
    }
    bench.until(task, TaskStatus::Completed).await;
    let taken = bench.journal(task).await.iter().filter(|r| matches!(r.entry, Entry::Received(_))).count();
    assert_eq!(taken, 1);
    worker.drain().await;
}

#[tokio::test]
async fn a_cancel_aborts_a_model_call() {
    let bench = Bench::new().await;
    let mut performer = Scripted::calling(&[]);
    performer.model = Box::new(|_, _| Box::pin(std::future::pending()));
    let performer = Arc::new(performer);
    let worker = bench.work(performer.clone());
    let task = bench.submit().await;
    eventually("the model is asked", || performer.open.load(Ordering::SeqCst) == 1).await;
    let cancelled = cancel(&bench.store, bench.tenant, task, "a test says so").await.unwrap();
    assert!(matches!(cancelled, CancelOutcome::Cancelled { seq: 1, parent: None, .. }), "{cancelled:?}");
    bench.broker.poke(Poke::Ended(task));
    eventually("the call is aborted", || performer.open.load(Ordering::SeqCst) == 0).await;
    let row = bench.row(task).await;
    assert_eq!(row.status, TaskStatus::Cancelled);
    assert_eq!(
        cancel(&bench.store, bench.tenant, task, "again").await.unwrap(),
        CancelOutcome::AlreadyTerminal(TaskStatus::Cancelled)
    );
    worker.drain().await;
}

#[tokio::test]
async fn a_stop_hands_tasks_over_and_repeats_only_what_was_cut_off() {
    let bench = Bench::new().await;
    let mut first = Scripted::calling(&["read"]);
    first.model = Box::new(|turn, _| {
        Box::pin(async move {
            if turn == 2 {
                // Outlives the drain time.
                std::future::pending::<()>().await;
            }
            Ok(answer(&["read"]))
        })
    });
    let first = Arc::new(first);
    let worker = bench.work(first.clone());
    let task = bench.submit().await;
    eventually("turn 2 is asked for", || first.calls.lock().unwrap().contains_key("2")).await;
    worker.drain().await;
    assert_eq!(bench.row(task).await.status, TaskStatus::Pending, "it was handed back");
    let second = Arc::new(Scripted::calling(&["read"]));
    let worker = bench.work(second.clone());
    bench.until(task, TaskStatus::Completed).await;
    let calls = second.calls.lock().unwrap().clone();
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["2"], "committed steps are not performed again");
    worker.drain().await;
}

#[tokio::test]
async fn a_once_call_that_a_stop_finds_journaled_is_sent_and_not_left_to_a_person() {
    let bench = Bench::new().await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let mut first = Scripted::calling(&["charge"]);
    let held = gate.clone();
    first.model = Box::new(move |_, _| {
        let held = held.clone();
        Box::pin(async move {
            held.acquire().await.unwrap().forget();
            Ok(answer(&["charge"]))
        })
    });
    let first = Arc::new(first);
    let worker = bench.work(first.clone());
    let task = bench.submit().await;
    eventually("the model is asked", || first.open.load(Ordering::SeqCst) == 1).await;
    worker.stop.drain.cancel();
    gate.add_permits(1);
    worker.drain().await;
    assert_eq!(first.calls.lock().unwrap().get("1.0"), Some(&1));

    let second = Arc::new(Scripted::calling(&["charge"]));
    let worker = bench.work(second.clone());
    bench.until(task, TaskStatus::Completed).await;
    assert_eq!(second.calls.lock().unwrap().keys().collect::<Vec<_>>(), ["2"]);
    let journal = bench.journal(task).await;
    assert!(!journal.iter().any(|r| matches!(r.entry, Entry::CallUncertain(_))), "{journal:?}");
    worker.drain().await;
}
