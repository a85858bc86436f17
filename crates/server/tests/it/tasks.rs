//! Creating, reading, listing and counting tasks.

use agenticai_domain::ids::StepId;
use agenticai_domain::outcome::ToolResult;
use agenticai_store::{Agents, NewAgentVersion};
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
async fn a_repetition_finds_its_task_whatever_became_of_the_agent() {
    let server = Server::start().await;
    let tool = |to: &str| {
        json!({
            "name": "mail", "http": {"url": "https://example.com/mail"},
            "parameters": {"type": "object", "properties": {"to": {"type": to}}, "required": ["to"]}
        })
    };
    let send = |path: &str, key: &str, body: Value| {
        answer(server.request(Method::POST, path).header("idempotency-key", key).json(&body))
    };
    let tasks = "/api/v1/tasks";
    let job = json!({"agent": "job", "input": {"to": "a"}});
    let chat = json!({"agent": "chat", "input": "hello"});
    let run = json!({"input": {"to": "a"}});
    server.job("job", json!({})).await;
    server.react("chat").await;
    let of_job = send(tasks, "job", job.clone()).await.ok(201)["id"].clone();
    let of_chat = send(tasks, "chat", chat.clone()).await.ok(201)["id"].clone();
    let of_run = send("/api/v1/agents/job/execute", "run", run.clone()).await.ok(202)["id"].clone();

    // The store takes a version whose model nobody serves: as if a key was taken from the configuration.
    let spec = serde_json::from_value(json!({"name": "chat", "model": "nobody"})).unwrap();
    let unserved = NewAgentVersion { tenant: server.owner.tenant, spec, tools: Vec::new(), created_by: None };
    server.store.put_agent(unserved).await.unwrap();
    // Other arguments in the newest version; to apply it also makes the server forget what it knew of `chat`.
    let spec = json!({"name": "job", "kind": "tool", "tools": [tool("integer")]});
    answer(server.request(Method::PUT, "/api/v1/agents/job").json(&spec)).await.ok(201);
    send(tasks, "new", job.clone()).await.problem(422, "invalid-request");
    send(tasks, "new", chat.clone()).await.problem(422, "model-not-served");
    for deleted in [false, true] {
        if deleted {
            answer(server.request(Method::DELETE, "/api/v1/agents/job")).await.ok(204);
            send(tasks, "new", job.clone()).await.problem(404, "unknown-agent");
            server.post(tasks, job.clone()).await.problem(404, "unknown-agent");
        }
        let again = send(tasks, "job", job.clone()).await;
        assert_eq!(again.headers["location"], format!("{tasks}/{}", of_job.as_str().unwrap()));
        assert_eq!(again.ok(200)["id"], of_job);
        assert_eq!(send(tasks, "chat", chat.clone()).await.ok(200)["id"], of_chat);
        assert_eq!(send("/api/v1/agents/job/execute", "run", run.clone()).await.ok(202)["id"], of_run);
        let other = json!({"agent": "job", "input": {"to": "b"}});
        let detail = send(tasks, "job", other).await.problem(409, "idempotency-conflict");
        assert!(detail.contains(of_job.as_str().unwrap()), "{detail}");
    }
    assert_eq!(server.get("/api/v1/tasks/count").await.ok(200), json!({"count": 3}));
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
