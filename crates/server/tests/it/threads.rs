//! Threads over HTTP.

use agenticai_broker::{Broker, Poke};
use reqwest::Method;
use serde_json::{Value, json};

use crate::hand::Hand;
use crate::server::{Answer, Server, answer};

const THREADS: &str = "/api/v1/threads";

async fn start() -> Server {
    let server = Server::start().await;
    server.react("a").await;
    server
}

/// Asks for a task in a thread.
async fn ask(server: &Server, thread: &str, if_active: Option<&str>) -> Answer {
    let body = json!({"agent": "a", "input": "x", "thread": thread, "if_active": if_active});
    server.post("/api/v1/tasks", body).await
}

fn id(view: &Value) -> String {
    view["id"].as_str().unwrap().to_owned()
}

async fn status(server: &Server, task: &str) -> Value {
    server.get(&format!("/api/v1/tasks/{task}")).await.ok(200)["status"].clone()
}

#[tokio::test]
async fn a_thread_is_created_shown_and_removed() {
    let server = start().await;
    let created = server.post(THREADS, json!({"name": "talk"})).await;
    let location = created.headers["location"].to_str().unwrap().to_owned();
    let created = created.ok(201);
    assert_eq!(
        (&created["name"], &created["active"], &created["queue"]),
        (&json!("talk"), &Value::Null, &json!([]))
    );
    assert_eq!(server.get(&location).await.ok(200), created);
    assert_eq!(server.get(&format!("{THREADS}/talk")).await.ok(200), created);
    let nameless = server.post(THREADS, json!({})).await.ok(201);
    assert_eq!(server.get(THREADS).await.ok(200)["items"], json!([nameless, created]));
    server.post(THREADS, json!({"name": "talk"})).await.problem(409, "thread-exists");
    for name in ["Talk", "", "0190a1b2-0000-7000-8000-000000000000"] {
        server.post(THREADS, json!({"name": name})).await.problem(422, "invalid-request");
    }
    assert_eq!(answer(server.request(Method::DELETE, &location)).await.status, 204);
    answer(server.request(Method::DELETE, &location)).await.problem(404, "unknown-thread");
    for path in ["/talk", "/talk/tasks"] {
        server.get(&format!("{THREADS}{path}")).await.problem(404, "unknown-thread");
    }
}

#[tokio::test]
async fn a_repeated_request_finds_its_thread() {
    let server = start().await;
    let send = async |body: Value| {
        answer(server.request(Method::POST, THREADS).header("Idempotency-Key", "k").json(&body)).await
    };
    let first = send(json!({"name": "talk"})).await.ok(201);
    assert_eq!(send(json!({"name": "talk"})).await.ok(201), first);
    send(json!({"name": "other"})).await.problem(409, "idempotency-conflict");
}

#[tokio::test]
async fn tasks_name_their_thread_and_take_turns() {
    let server = start().await;
    let first = ask(&server, "talk", None).await.ok(201);
    let second = ask(&server, "talk", Some("queue")).await.ok(201);
    assert_eq!((&first["thread"]["name"], &first["thread"]["queue_place"]), (&json!("talk"), &Value::Null));
    assert_eq!((&second["status"], &second["thread"]["queue_place"]), (&json!("pending"), &json!(1)));
    let thread = server.get(&format!("{THREADS}/talk")).await.ok(200);
    assert_eq!((&thread["active"], &thread["queue"]), (&first["id"], &json!([second["id"]])));
    // By id, too, and over the other address that makes tasks.
    let body = json!({"input": "x", "thread": thread["id"]});
    let third = server.post("/api/v1/agents/a/execute", body).await.ok(202);
    assert_eq!(third["thread"]["queue_place"], 2);
    let listed = server.get(&format!("{THREADS}/talk/tasks")).await.ok(200);
    let listed: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|task| &task["id"]).collect();
    assert_eq!(listed, [&third["id"], &second["id"], &first["id"]]);
    answer(server.request(Method::DELETE, &format!("{THREADS}/talk"))).await.problem(409, "thread-busy");
    for task in [&first, &second, &third] {
        let hand = Hand::claim(&server).await;
        assert_eq!(json!(hand.task()), task["id"]);
        hand.model_says(1, "y").await;
    }
    assert_eq!(server.get(&format!("{THREADS}/talk")).await.ok(200)["active"], Value::Null);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let server = start().await;
    let task = async |more: Value| {
        let mut body = json!({"agent": "a", "input": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/api/v1/tasks", body).await
    };
    task(json!({"if_active": "queue"})).await.problem(422, "invalid-request");
    task(json!({"thread": "A b"})).await.problem(422, "invalid-request");
    task(json!({"thread": "0190a1b2-0000-7000-8000-000000000000"})).await.problem(404, "unknown-thread");
    assert!(task(json!({"thread": "t", "if_active": "stack"})).await.status >= 400);
    let first = task(json!({"thread": "t", "if_active": "reject"})).await.ok(201);
    let detail = task(json!({"thread": "t", "if_active": "reject"})).await.problem(409, "thread-busy");
    assert!(detail.contains(&id(&first)), "{detail}");
}

#[tokio::test]
async fn interrupt_and_replace_cancel_at_once() {
    let server = start().await;
    let first = id(&ask(&server, "talk", None).await.ok(201));
    let queued = id(&ask(&server, "talk", None).await.ok(201));
    let mut pokes = server.broker.pokes();
    let urgent = id(&ask(&server, "talk", Some("interrupt")).await.ok(201));
    assert_eq!(pokes.try_recv().unwrap(), Poke::Ended(first.parse().unwrap()));
    assert_eq!(status(&server, &first).await, "cancelled");
    let thread = server.get(&format!("{THREADS}/talk")).await.ok(200);
    assert_eq!((&thread["active"], &thread["queue"]), (&json!(urgent), &json!([queued])));
    let last = id(&ask(&server, "talk", Some("replace")).await.ok(201));
    for task in [&urgent, &queued] {
        assert_eq!(status(&server, task).await, "cancelled");
    }
    let thread = server.get(&format!("{THREADS}/talk")).await.ok(200);
    assert_eq!((&thread["active"], &thread["queue"]), (&json!(last), &json!([])));
}
