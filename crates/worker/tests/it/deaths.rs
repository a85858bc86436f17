//! Lost workers and zombies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_broker::Broker;
use agenticai_domain::inbox::{InboxBody, ResolveDecision};
use agenticai_domain::journal::Entry;
use agenticai_domain::outcome::ToolResult;
use agenticai_domain::task::{TaskStatus, WaitKind};
use agenticai_store::{Journal, Tasks};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::bench::{Bench, Scripted, answer, eventually};

#[tokio::test]
async fn a_zombie_cannot_append_and_committed_steps_are_not_repeated() {
    let bench = Bench::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let mut zombie = Scripted::calling(&["read"]);
    let held = gate.clone();
    zombie.model = Box::new(move |turn, _| {
        let held = held.clone();
        Box::pin(async move {
            if turn == 2 {
                held.acquire().await.unwrap().forget();
                return Err("the zombie says so".to_owned());
            }
            Ok(answer(&["read"]))
        })
    });
    let zombie = Arc::new(zombie);
    let lost = bench.work(zombie.clone());
    let task = bench.submit().await;
    eventually("turn 2 is asked for", || zombie.calls.lock().unwrap().contains_key("2")).await;
    lost.lose();

    let second = Arc::new(Scripted::calling(&["read"]));
    let worker = bench.work(second.clone());
    // The zombie wakes when its task is somebody else's.
    eventually("the task is taken over", || second.calls.lock().unwrap().contains_key("2")).await;
    gate.add_permits(1);
    let row = bench.until(task, TaskStatus::Completed).await;
    eventually("the zombie lets go", || zombie.open.load(Ordering::SeqCst) == 0).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.row(task).await, row, "nothing that the zombie said counts");
    assert_eq!(second.calls.lock().unwrap().keys().collect::<Vec<_>>(), ["2"]);
    let journal = bench.journal(task).await;
    assert!(journal.windows(2).all(|w| w[0].epoch <= w[1].epoch && w[0].seq + 1 == w[1].seq), "{journal:?}");
    worker.drain().await;
}

#[tokio::test]
async fn a_once_call_in_flight_becomes_uncertain_and_a_person_decides() {
    let bench = Bench::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let mut zombie = Scripted::calling(&["charge"]);
    let held = gate.clone();
    zombie.tool = Box::new(move |_, _| {
        let held = held.clone();
        Box::pin(async move {
            held.acquire().await.unwrap().forget();
            ToolResult::ok(json!("charged late"))
        })
    });
    let zombie = Arc::new(zombie);
    let lost = bench.work(zombie.clone());
    let task = bench.submit().await;
    eventually("the call is sent", || zombie.calls.lock().unwrap().contains_key("1.0")).await;
    lost.lose();

    let second = Arc::new(Scripted::calling(&["charge"]));
    let worker = bench.work(second.clone());
    let row = bench.until(task, TaskStatus::Waiting).await;
    assert_eq!(row.waiting_for[0].kind, WaitKind::Uncertain);
    let step = row.waiting_for[0].step;
    assert!(second.calls.lock().unwrap().is_empty(), "a `once` call is not sent again");

    gate.add_permits(1);
    for _ in 0..500 {
        if !bench.store.late_results(bench.tenant, task).await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let late = bench.store.late_results(bench.tenant, task).await.unwrap();
    assert!(
        late[0].2.contains("charged late"),
        "the late result is kept for the person who decides: {late:?}"
    );

    let body = InboxBody::Resolve { step, decision: ResolveDecision::NotDone, by: None };
    bench.store.deliver(bench.tenant, task, "resolve:1".into(), body).await.unwrap();
    bench.broker.hint();
    bench.until(task, TaskStatus::Completed).await;
    assert_eq!(second.calls.lock().unwrap().get("1.0"), Some(&1), "now it is sent, once");
    let started: Vec<u32> = bench
        .journal(task)
        .await
        .iter()
        .filter_map(|r| if let Entry::CallStarted(s) = &r.entry { Some(s.attempt) } else { None })
        .collect();
    assert_eq!(started, [1, 2]);
    worker.drain().await;
}

#[tokio::test]
async fn a_panic_costs_one_task_and_no_neighbour() {
    let bench = Bench::new().await;
    let mut performer = Scripted::calling(&["read"]);
    let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    performer.tool = Box::new(move |_, _| {
        let panics = first.swap(false, Ordering::SeqCst);
        Box::pin(async move {
            assert!(!panics, "planted");
            ToolResult::ok(json!("fine"))
        })
    });
    let worker = bench.work(Arc::new(performer));
    let unlucky = bench.submit().await;
    for _ in 0..500 {
        if bench.row(unlucky).await.status.is_terminal() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.row(unlucky).await.status, TaskStatus::Failed);
    let other = bench.submit().await;
    bench.until(other, TaskStatus::Completed).await;
    worker.drain().await;
}
