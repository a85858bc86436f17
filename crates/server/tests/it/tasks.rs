//! Creating, reading, listing and counting tasks.

use agenticai_domain::ids::StepId;
use agenticai_domain::outcome::ToolResult;
use reqwest::Method;
use serde_json::{Value, json};

use crate::abilities::body_of;
use crate::hand::Hand;
use crate::server::{Server, answer};

#[tokio::test]
async fn a_task_is_created_and_seen() {
    let server = Server::start().await;
    server.job("job", json!({})).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = json!({
        "agent": "job", "input": {"to": "a"}, "priority": 9, "timeout_seconds": 60, "metadata": {"team": "red", "n": 1}
    });
    let created =
        answer(server.request(Method::POST, "/api/v1/tasks").header("traceparent", trace).json(&body)).await;
    let location = created.headers["location"].to_str().unwrap().to_owned();
    let created = created.ok(201);
    assert_eq!(created["status"], "pending");
    assert_eq!((&created["agent"], &created["agent_version"]), (&json!("job"), &json!(1)));
    assert_eq!((&created["input"], &created["priority"]), (&json!({"to": "a"}), &json!(9)));
    assert_eq!(created["metadata"], json!({"team": "red", "n": 1}));
    assert_eq!(server.get(&location).await.ok(200), created);
    assert_eq!(location, format!("/api/v1/tasks/{}", created["id"].as_str().unwrap()));

    use agenticai_store::Tasks;
    let id = created["id"].as_str().unwrap().parse().unwrap();
    let row = server.store.task(server.owner.tenant, id).await.unwrap().unwrap();
    assert_eq!(row.head.traceparent.as_deref(), Some(trace));
    assert_eq!(row.head.created_by, Some(server.owner.user));
    assert_eq!(row.head.deadline_at, Some(row.head.created_at + 60_000));
}

#[tokio::test]
async fn a_key_makes_creation_repeatable() {
    let server = Server::start().await;
    server.job("job", json!({})).await;
    let send = |key: &str, body: Value| {
        answer(server.request(Method::POST, "/api/v1/tasks").header("idempotency-key", key).json(&body))
    };
    let one = send("k1", json!({"agent": "job", "input": {"to": "a", "x": 1}})).await.ok(201);
    let again = send("k1", json!({"input": {"x": 1, "to": "a"}, "agent": "job"})).await;
    assert!(again.headers.contains_key("location"));
    assert_eq!(again.ok(200)["id"], one["id"]);
    let detail =
        send("k1", json!({"agent": "job", "input": {"to": "b"}})).await.problem(409, "idempotency-conflict");
    assert!(detail.contains(one["id"].as_str().unwrap()), "{detail}");
    assert_ne!(
        send("k2", json!({"agent": "job", "input": {"to": "a", "x": 1}})).await.ok(201)["id"],
        one["id"]
    );
    send(&"k".repeat(256), json!({"agent": "job", "input": {"to": "a"}})).await.problem(400, "bad-header");
    send("", json!({"agent": "job", "input": {"to": "a"}})).await.problem(400, "bad-header");
    assert_eq!(server.get("/api/v1/tasks/count").await.ok(200), json!({"count": 2}));
}

#[tokio::test]
async fn a_running_task_shows_what_it_has_consumed_and_waits_for() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("write to bob")).await;
    let path = format!("/api/v1/tasks/{id}");
    let mut hand = Hand::claim(&server).await;
    hand.model_calls(1, "mail", r#"{"to": "bob"}"#).await;
    let view = server.get(&path).await.ok(200);
    assert_eq!(view["status"], "waiting");
    assert_eq!(view["waiting_for"][0]["kind"], "approval");
    assert_eq!(view["waiting_for"][0]["arguments"], json!({"to": "bob"}));
    assert_eq!((&view["usage"]["input_tokens"], &view["usage"]["cost_usd"]), (&json!(100), &json!(0.001)));
    assert_eq!((&view["model"], &view["provider"]), (&json!("priced-2026"), &json!("openai")));

    let step = json!({"step": "1.0", "decision": "approve"});
    server.post(&format!("{path}/signals"), step).await.ok(202);
    hand.claim_again().await;
    hand.advance(vec![]).await;
    hand.tool(StepId::call(1, 0), ToolResult::ok(json!("sent"))).await;
    // Between two turns only the journal knows the usage.
    assert_eq!(server.get(&path).await.ok(200)["usage"]["input_tokens"], 100);
    hand.model_says(2, "done").await;
    let view = server.get(&path).await.ok(200);
    assert_eq!((&view["status"], &view["output"]), (&json!("completed"), &json!("done")));
    assert_eq!((&view["usage"]["input_tokens"], &view["usage"]["cost_usd"]), (&json!(200), &json!(0.002)));
    assert_eq!(view["waiting_for"], json!([]));
    assert!(view["completed_at"].is_string() && view["started_at"].is_string());

    let journal = server.get(&format!("{path}/journal?limit=2")).await.ok(200);
    assert_eq!((journal["items"].as_array().unwrap().len(), &journal["next_cursor"]), (2, &json!("2")));
    let rest = server.get(&format!("{path}/journal?cursor=2")).await.ok(200);
    let seqs: Vec<_> = rest["items"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (3..3 + seqs.len() as u64).collect::<Vec<_>>());
    assert_eq!(rest["next_cursor"], Value::Null);
    assert_eq!(rest["items"].as_array().unwrap().last().unwrap()["entry"]["type"], "turn");
}

#[tokio::test]
async fn the_exact_request_of_a_turn_is_shown() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let hand = Hand::claim(&server).await;
    hand.model_says(1, "y").await;
    let path = format!("/api/v1/tasks/{id}/steps");
    let response = server.request(Method::GET, &format!("{path}/1/request")).send().await.unwrap();
    let sha256 = response.headers()["x-agenticai-sha256"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-agenticai-model"], "priced-2026");
    let body = response.bytes().await.unwrap();
    assert_eq!(body, body_of(1));
    let journal = server.get(&format!("/api/v1/tasks/{id}/journal")).await.ok(200);
    assert_eq!(journal["items"][0]["entry"]["request"]["sha256"], sha256);
    for unknown in ["2", "0", "1.0", "x"] {
        server.get(&format!("{path}/{unknown}/request")).await.problem(404, "unknown-step");
    }
}

#[tokio::test]
async fn lists_and_counts_obey_their_filters() {
    let server = Server::start().await;
    server.job("one", json!({})).await;
    server.job("two", json!({})).await;
    let mut ids = Vec::new();
    for (agent, team, site) in
        [("one", "red", "x"), ("one", "blue", "x"), ("two", "red", "x"), ("two", "red", "y")]
    {
        let body = json!({"agent": agent, "input": {"to": "a"}, "metadata": {"team": team, "site": site}});
        let view = server.post("/api/v1/tasks", body).await.ok(201);
        ids.push(view["id"].as_str().unwrap().to_owned());
    }
    server.post(&format!("/api/v1/tasks/{}/cancel", ids[0]), Value::Null).await.ok(200);
    for (query, expected) in [
        ("", vec![3, 2, 1, 0]),
        ("agent=one", vec![1, 0]),
        ("status=pending", vec![3, 2, 1]),
        ("status=cancelled,completed", vec![0]),
        ("metadata.team=red", vec![3, 2, 0]),
        ("metadata.team=red&metadata.site=x", vec![2, 0]),
        ("metadata.team=red&agent=two&status=pending", vec![3, 2]),
        ("metadata.team=green", vec![]),
    ] {
        let page = server.get(&format!("/api/v1/tasks?{query}")).await.ok(200);
        let found: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap()).collect();
        assert_eq!(found, expected.iter().map(|i| ids[*i].as_str()).collect::<Vec<_>>(), "{query}");
        let count = server.get(&format!("/api/v1/tasks/count?{query}")).await.ok(200);
        assert_eq!(count, json!({"count": expected.len()}), "{query}");
    }
    let page = server.get("/api/v1/tasks?limit=3").await.ok(200);
    let next = page["next_cursor"].as_str().unwrap();
    let page = server.get(&format!("/api/v1/tasks?limit=3&cursor={next}")).await.ok(200);
    assert_eq!((&page["items"][0]["id"], &page["next_cursor"]), (&json!(ids[0]), &Value::Null));
    for bad in [
        "cursor=nonsense",
        "limit=1001",
        "status=done",
        "state=pending",
        "status=pending&status=failed",
        "parent=x",
    ] {
        server.get(&format!("/api/v1/tasks?{bad}")).await.problem(400, "bad-query");
    }
    server.get("/api/v1/tasks?agent=nobody").await.problem(404, "unknown-agent");
}
