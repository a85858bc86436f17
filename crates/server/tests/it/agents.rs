//! Agents and their immutable versions.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, answer};

async fn put(server: &Server, name: &str, spec: Value) -> crate::server::Answer {
    answer(server.request(Method::PUT, &format!("/api/v1/agents/{name}")).json(&spec)).await
}

#[tokio::test]
async fn versions_are_made_and_never_change() {
    let server = Server::start().await;
    let first = json!({"name": "a", "model": "priced", "instructions": "one"});
    let created = server.post("/api/v1/agents", first.clone()).await;
    let location = created.headers["location"].to_str().unwrap().to_owned();
    let created = created.ok(201);
    assert_eq!((&created["version"], &created["model"]), (&json!(1), &json!({"name": "priced"})));
    let detail = server.post("/api/v1/agents", first.clone()).await.problem(409, "agent-exists");
    assert!(detail.contains("PUT /api/v1/agents/a"), "{detail}");

    assert_eq!(put(&server, "a", first).await.ok(200)["version"], 1);
    let second = json!({"name": "a", "model": "stand-in", "instructions": "two"});
    let changed = put(&server, "a", second).await.ok(201);
    assert_eq!((&changed["version"], &changed["id"]), (&json!(2), &created["id"]));
    assert_eq!(changed["warnings"], json!(["a stand-in answers"]));

    // A name means its newest version at once, also right after it was read.
    assert_eq!(server.get("/api/v1/agents/a").await.ok(200)["instructions"], "two");
    assert_eq!(server.get(&location).await.ok(200)["version"], 2);
    assert_eq!(server.get("/api/v1/agents/a?version=1").await.ok(200)["instructions"], "one");
    server.get("/api/v1/agents/a?version=3").await.problem(404, "unknown-agent");
    let page = server.get("/api/v1/agents/a/versions?limit=1").await.ok(200);
    assert_eq!((&page["items"][0]["version"], &page["next_cursor"]), (&json!(1), &json!("1")));
    let page = server.get("/api/v1/agents/a/versions?cursor=1").await.ok(200);
    assert_eq!((&page["items"][0]["version"], &page["next_cursor"]), (&json!(2), &Value::Null));

    let gone = answer(server.request(Method::DELETE, "/api/v1/agents/a")).await;
    assert_eq!(gone.status, 204);
    server.get("/api/v1/agents/a").await.problem(404, "unknown-agent");
    answer(server.request(Method::DELETE, "/api/v1/agents/a")).await.problem(404, "unknown-agent");
}

#[tokio::test]
async fn lists_have_pages() {
    let server = Server::start().await;
    for name in ["c", "a", "b"] {
        put(&server, name, json!({"name": name, "model": "priced"})).await.ok(201);
    }
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/v1/agents?limit=2{cursor}")).await.ok(200);
        names
            .extend(page["items"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn every_mistake_of_a_specification_is_reported_at_once() {
    let server = Server::start().await;
    let spec = json!({
        "name": "Not Good", "model": {"name": "priced", "temperature": 9},
        "tools": [{"name": "x", "http": {"url": "ftp://example.com"}}], "limits": {"max_steps": 0}
    });
    let answer = server.post("/api/v1/agents", spec).await;
    answer.problem(422, "invalid-agent");
    let paths: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    for path in ["name", "model.temperature", "limits.max_steps", "tools[0].http.url"] {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
    let as_id = json!({"name": "01890a5d-ac96-774b-bcce-b302099a8057", "model": "priced"});
    server.post("/api/v1/agents", as_id).await.problem(422, "invalid-agent");
    let unknown_tool = json!({"name": "a", "model": "priced", "tools": ["teleport"]});
    let detail = server.post("/api/v1/agents", unknown_tool).await.problem(422, "invalid-agent");
    assert!(detail.contains("tools[0]"), "{detail}");
    let unserved = json!({"name": "a", "model": "nobody"});
    let detail = server.post("/api/v1/agents", unserved).await.problem(422, "model-not-served");
    assert!(detail.contains("set a key"), "{detail}");
    let other = put(&server, "b", json!({"name": "a", "model": "priced"})).await;
    other.problem(422, "invalid-request");
}

#[tokio::test]
async fn a_limit_of_cost_needs_a_price() {
    let server = Server::start().await;
    let limits = json!({"max_cost_usd": 1.0});
    let view = put(&server, "a", json!({"name": "a", "model": "stand-in", "limits": limits})).await.ok(201);
    assert!(
        view["warnings"].as_array().unwrap().iter().any(|w| w.as_str().unwrap().contains("price")),
        "{view}"
    );
    let refused = server.post("/api/v1/tasks", json!({"agent": "a", "input": "x"})).await;
    let detail = refused.problem(422, "price-unknown");
    assert!(detail.contains("price table"), "{detail}");
    put(&server, "a", json!({"name": "a", "model": "priced", "limits": limits})).await.ok(201);
    server.task("a", json!("x")).await;
}
