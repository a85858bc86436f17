//! Cancelling tasks.

use std::collections::BTreeSet;

use agenticai_broker::{Broker, Poke};
use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::task::{NewTask, Parent, TaskInput};
use agenticai_store::{Agents, CreateTask, Tasks};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hand::Hand;
use crate::server::Server;

#[tokio::test]
async fn a_task_is_cancelled_once_and_its_worker_told() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let hand = Hand::claim(&server).await;
    hand.model_calls(1, "mail", r#"{"to": "bob"}"#).await;
    let mut pokes = server.broker.pokes();
    let path = format!("/api/v1/tasks/{id}/cancel");
    let view = server.post(&path, Value::Null).await.ok(200);
    assert_eq!((&view["status"], &view["error"]["code"]), (&json!("cancelled"), &json!("cancelled")));
    // What it had consumed stays.
    assert_eq!(view["usage"]["input_tokens"], 100);
    assert_eq!(pokes.try_recv().unwrap(), Poke::Ended(id));
    assert_eq!(server.post(&path, Value::Null).await.ok(200)["completed_at"], view["completed_at"]);
    let journal = server.get(&format!("/api/v1/tasks/{id}/journal")).await.ok(200);
    let types: Vec<_> =
        journal["items"].as_array().unwrap().iter().map(|e| e["entry"]["type"].clone()).collect();
    assert_eq!(types, ["turn", "ended"]);
    let late = json!({"step": "1.0", "decision": "approve"});
    server.post(&format!("/api/v1/tasks/{id}/signals"), late).await.problem(409, "task-ended");
}

#[tokio::test]
async fn a_task_that_ended_otherwise_is_not_cancelled() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    Hand::claim(&server).await.model_says(1, "y").await;
    let detail =
        server.post(&format!("/api/v1/tasks/{id}/cancel"), Value::Null).await.problem(409, "task-ended");
    assert!(detail.contains("completed"), "{detail}");
}

#[tokio::test]
async fn children_are_cancelled_with_their_parent() {
    let server = Server::start().await;
    server.job("job", json!({})).await;
    let top = server.task("job", json!({"to": "a"})).await;
    let mut ids = BTreeSet::from([top]);
    let mut parent = top;
    for depth in 1..=3 {
        parent = child(&server, parent, depth).await;
        ids.insert(parent);
    }
    server.post(&format!("/api/v1/tasks/{top}/cancel"), Value::Null).await.ok(200);
    assert_eq!(server.get("/api/v1/tasks/count?status=cancelled").await.ok(200), json!({"count": ids.len()}));
}

async fn child(server: &Server, parent: TaskId, depth: u32) -> TaskId {
    let tenant = server.owner.tenant;
    let agent = server.store.agent(tenant, "job".into(), None).await.unwrap().unwrap();
    let id = TaskId(Uuid::now_v7());
    let task = NewTask {
        id,
        tenant,
        agent: agent.id,
        agent_version: agent.version,
        input: TaskInput::Arguments(json!({"to": "a"}).as_object().unwrap().clone()),
        priority: 5,
        timeout_ms: None,
        parent: Some(Parent { task: parent, step: StepId::call(1, 0) }),
        depth,
        metadata: serde_json::Map::new(),
        created_by: None,
        traceparent: None,
    };
    server.store.create_task(CreateTask { task, idempotency: None, thread: None }).await.unwrap();
    id
}
