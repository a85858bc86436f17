//! What an operator may set, and that it holds.

use std::time::Duration;

use agenticai_server::ApiSettings;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn pages_have_the_operators_size() {
    let settings = ApiSettings { default_page: 2, max_page: 3, ..ApiSettings::default() };
    let server = Server::start_with(settings).await;
    for name in ["a", "b", "c", "d"] {
        server.react(name).await;
    }
    let items = async |query: &str| {
        let page = server.get(&format!("/api/v1/agents{query}")).await.ok(200);
        page["items"].as_array().unwrap().len()
    };
    assert_eq!((items("").await, items("?limit=3").await), (2, 3));
    let detail = server.get("/api/v1/agents?limit=4").await.problem(400, "bad-query");
    assert!(detail.contains("1 to 3"), "{detail}");
}

#[tokio::test]
async fn tasks_keep_the_operators_bounds() {
    let settings = ApiSettings {
        max_metadata_bytes: 20,
        max_task_timeout: Duration::from_secs(60),
        ..ApiSettings::default()
    };
    let server = Server::start_with(settings).await;
    server.react("a").await;
    let create = async |metadata: &str, timeout: u64| {
        let body =
            json!({"agent": "a", "input": "x", "metadata": {"k": metadata}, "timeout_seconds": timeout});
        server.post("/api/v1/tasks", body).await
    };
    create("short", 60).await.ok(201);
    let detail = create("longer than it may be", 60).await.problem(422, "invalid-request");
    assert!(detail.contains("metadata") && detail.contains("20 are allowed"), "{detail}");
    let detail = create("short", 61).await.problem(422, "invalid-request");
    assert!(detail.contains("between 1 and 60"), "{detail}");
}

/// A key that is trusted for no time at all is looked up for every request.
#[tokio::test]
async fn keys_are_trusted_as_long_as_the_operator_says() {
    let later = |key_trust| ApiSettings { key_trust, ..ApiSettings::default() };
    for (trust, status) in [(Duration::from_secs(60), 400), (Duration::ZERO, 503)] {
        let server = Server::start_with(later(trust)).await;
        server.get("/api/v1/tasks").await.ok(200);
        server.store.close().await.unwrap();
        // Who asks is looked at before what is asked for.
        assert_eq!(server.get("/api/v1/tasks?limit=0").await.status, status, "{trust:?}");
    }
}

#[tokio::test]
async fn silent_streams_are_kept_open_as_often_as_the_operator_says() {
    let settings = ApiSettings { keep_alive: Duration::from_millis(100), ..ApiSettings::default() };
    let server = Server::start_with(settings).await;
    server.react("a").await;
    let task = server.task("a", json!("x")).await;
    let response = server.request(Method::GET, &format!("/api/v1/tasks/{task}/events")).send().await.unwrap();
    let mut bytes = response.bytes_stream();
    let mut comments = 0;
    while comments < 3 {
        let chunk = tokio::time::timeout(Duration::from_secs(5), bytes.next()).await.expect("a comment");
        comments += String::from_utf8_lossy(&chunk.unwrap().unwrap()).matches(":\n\n").count();
    }
}
