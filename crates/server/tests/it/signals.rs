//! Approvals, answers, events and words on uncertain calls.

use std::time::Duration;

use agenticai_broker::{Broker, Poke};
use agenticai_domain::engine::Effect;
use agenticai_domain::ids::StepId;
use agenticai_domain::outcome::{ToolOutcome, ToolResult};
use agenticai_store::{Journal, Leases};
use serde_json::{Value, json};

use crate::hand::Hand;
use crate::server::{Answer, Server};

const STEP: StepId = StepId { turn: 1, call: Some(0) };

async fn signal(server: &Server, hand: &Hand<'_>, body: Value) -> Answer {
    server.post(&format!("/api/v1/tasks/{}/signals", hand.task()), body).await
}

async fn resolve(server: &Server, hand: &Hand<'_>, body: Value) -> Answer {
    server.post(&format!("/api/v1/tasks/{}/resolve", hand.task()), body).await
}

#[tokio::test]
async fn a_decision_counts_once() {
    let server = Server::start().await;
    server.react("a").await;
    server.task("a", json!("x")).await;
    let mut hand = Hand::claim(&server).await;
    let none = signal(&server, &hand, json!({"step": "1.0", "decision": "approve"})).await;
    none.problem(409, "not-waiting");
    hand.model_calls(1, "mail", r#"{"to": "bob"}"#).await;

    let detail =
        signal(&server, &hand, json!({"step": "1.0", "value": "x"})).await.problem(409, "not-waiting");
    assert!(detail.contains("step 1.0 for approval (mail)"), "{detail}");
    signal(&server, &hand, json!({"step": "2.0", "decision": "approve"})).await.problem(409, "not-waiting");
    let misfit = json!({"step": "1.0", "decision": "edit", "arguments": {"to": 7}});
    signal(&server, &hand, misfit).await.problem(422, "invalid-request");

    let mut pokes = server.broker.pokes();
    let edit = json!({"step": "1.0", "decision": "edit", "arguments": {"to": "alice"}});
    signal(&server, &hand, edit.clone()).await.ok(202);
    assert_eq!(pokes.try_recv().unwrap(), Poke::Inbox(hand.task()));
    let other = json!({"step": "1.0", "decision": "reject", "reason": "no"});
    // Before and after it was consumed: the same is welcome, another one is not.
    signal(&server, &hand, edit.clone()).await.ok(202);
    signal(&server, &hand, other.clone()).await.problem(409, "already-decided");
    hand.claim_again().await;
    let effects = hand.advance(vec![]).await;
    assert!(matches!(effects[..], [Effect::Tool { step: STEP, .. }]), "{effects:?}");
    signal(&server, &hand, edit).await.ok(202);
    signal(&server, &hand, other).await.problem(409, "already-decided");
    assert_eq!(server.store.inbox(hand.task(), 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_must_fit_the_question() {
    let server = Server::start().await;
    server.react("a").await;
    server.task("a", json!("x")).await;
    let mut hand = Hand::claim(&server).await;
    hand.model_calls(1, "ask_human", r#"{"question": "How many?", "schema": {"type": "integer"}}"#).await;
    let view = server.get(&format!("/api/v1/tasks/{}", hand.task())).await.ok(200);
    assert_eq!(
        (&view["waiting_for"][0]["kind"], &view["waiting_for"][0]["note"]),
        (&json!("input"), &json!("How many?"))
    );
    signal(&server, &hand, json!({"step": "1.0", "value": "many"})).await.problem(422, "invalid-request");
    signal(&server, &hand, json!({"step": "1.0", "value": 3})).await.ok(202);
    signal(&server, &hand, json!({"step": "1.0", "value": 4})).await.problem(409, "already-decided");
    hand.claim_again().await;
    let effects = hand.advance(vec![]).await;
    assert!(matches!(effects[..], [Effect::Model { turn: 2 }]), "{effects:?}");
}

#[tokio::test]
async fn events_are_kept_and_deduplicated() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let hand = Hand::claim(&server).await;
    let event = |dedupe: Value| json!({"name": "paid", "payload": {"n": 1}, "dedupe_id": dedupe});
    for body in [event(json!("e1")), event(json!("e1")), event(Value::Null), event(Value::Null)] {
        signal(&server, &hand, body).await.ok(202);
    }
    assert_eq!(server.store.inbox(id, 0).await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_event_that_nothing_waits_for_is_kept() {
    let server = Server::start().await;
    let spec = json!({"name": "a", "model": "priced", "tools": ["wait_signal"]});
    server.post("/api/v1/agents", spec).await.ok(201);
    let id = server.task("a", json!("x")).await;
    let event = |name: &str| json!({"name": name, "payload": {"n": 1}, "dedupe_id": name});
    let status = async || server.get(&format!("/api/v1/tasks/{id}")).await.ok(200)["status"].clone();
    let mut hand = Hand::claim(&server).await;
    hand.model_calls(1, "wait_signal", r#"{"name": "paid", "timeout_seconds": 0.1}"#).await;

    // Of another name: it ends no wait.
    signal(&server, &hand, event("other")).await.ok(202);
    hand.claim_again().await;
    hand.advance(vec![]).await;
    assert_eq!(status().await, "waiting");

    // Of a wait that has expired: for the next one of that name, which it ends at once.
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(server.store.wake_due(10).await.unwrap(), 1);
    hand.claim_again().await;
    let effects = hand.advance(vec![]).await;
    assert!(matches!(effects[..], [Effect::Model { turn: 2 }]), "{effects:?}");
    signal(&server, &hand, event("paid")).await.ok(202);
    let effects = hand.model_calls(2, "wait_signal", r#"{"name": "paid"}"#).await;
    assert!(matches!(effects[..], [Effect::Model { turn: 3 }]), "{effects:?}");

    // Taken once; and the one that nothing ever waited for is no obstacle to the end.
    hand.model_calls(3, "wait_signal", r#"{"name": "paid"}"#).await;
    assert_eq!(status().await, "waiting");
    signal(&server, &hand, event("paid")).await.ok(202);
    assert_eq!(server.store.inbox(id, 0).await.unwrap().len(), 2, "the dedupe id was used before");
    signal(&server, &hand, json!({"name": "paid"})).await.ok(202);
    hand.claim_again().await;
    hand.advance(vec![]).await;
    hand.model_says(4, "done").await;
    assert_eq!(status().await, "completed");
    let journal = server.get(&format!("/api/v1/tasks/{id}/journal")).await.ok(200);
    let taken: Vec<_> = journal["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["entry"]["type"] == "received")
        .map(|item| item["entry"]["message"]["id"].clone())
        .collect();
    assert_eq!(taken, [2, 3], "{journal}");
    signal(&server, &hand, event("late")).await.problem(409, "task-ended");
}

#[tokio::test]
async fn a_call_that_is_uncertain_again_needs_a_second_word() {
    let server = Server::start().await;
    server.job("job", json!({"effect": "once"})).await;
    server.task("job", json!({"to": "a"})).await;
    let mut hand = Hand::claim(&server).await;
    hand.advance(vec![]).await;
    let uncertain = || ToolResult::Uncertain { reason: "cut off".into() };
    hand.tool(STEP, uncertain()).await;

    // An answer that came when nobody could journal it any more helps whoever has to decide.
    let result = ToolResult::ok(json!("charged as 4711"));
    let late = ToolOutcome { step: STEP, result, attempts: 1, took_ms: 1 };
    server.store.keep_late_result(hand.task(), 1, late).await.unwrap();
    let view = server.get(&format!("/api/v1/tasks/{}", hand.task())).await.ok(200);
    assert_eq!(view["late_results"][0]["step"], "1.0");
    assert!(view["late_results"][0]["result"].to_string().contains("charged as 4711"), "{view}");

    let not_done = json!({"step": "1.0", "decision": "not_done", "attempt": 1});
    resolve(&server, &hand, json!({"step": "1.0", "decision": "maybe"}))
        .await
        .problem(422, "invalid-request");
    resolve(&server, &hand, json!({"step": "1.0", "decision": "not_done", "result": 1}))
        .await
        .problem(422, "invalid-request");
    resolve(&server, &hand, not_done.clone()).await.ok(202);
    resolve(&server, &hand, not_done.clone()).await.ok(202);
    hand.claim_again().await;
    hand.advance(vec![]).await;
    // A late repetition finds its word consumed.
    resolve(&server, &hand, not_done.clone()).await.ok(202);
    hand.attempt(STEP, 2, uncertain()).await;
    // And once the step is uncertain anew, it does not decide the second attempt.
    resolve(&server, &hand, not_done).await.problem(409, "already-decided");
    let done = json!({"step": "1.0", "decision": "done", "result": {"id": 7}});
    let view = resolve(&server, &hand, done.clone()).await.ok(202);
    assert_eq!(view["waiting_for"][0]["kind"], "uncertain");
    hand.claim_again().await;
    hand.advance(vec![]).await;
    let view = server.get(&format!("/api/v1/tasks/{}", hand.task())).await.ok(200);
    assert_eq!((&view["status"], &view["output"]), (&json!("completed"), &json!({"id": 7})));
    resolve(&server, &hand, done).await.problem(409, "task-ended");
}
