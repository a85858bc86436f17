//! Health, metrics and documentation.

use serde_json::json;

use crate::server::{Server, answer};

#[tokio::test]
async fn health_tells_alive_from_ready() {
    let server = Server::start().await;
    let health = server.get("/health").await.ok(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("ok"), &json!("agenticai")));
    server.get("/health/ready").await.ok(200);
    server.shutdown.cancel();
    assert_eq!(server.get("/health/ready").await.ok(503)["checks"]["process"], "is stopping");
    server.get("/health/live").await.ok(200);
}

#[tokio::test]
async fn a_store_that_is_gone_is_not_ready_and_says_so_to_clients() {
    let server = Server::start().await;
    server.job("job", json!({})).await;
    server.store.close().await.unwrap();
    server.get("/health/live").await.ok(200);
    let refused = server.post("/api/v1/tasks", json!({"agent": "job", "input": {"to": "a"}})).await;
    let detail = refused.problem(503, "unavailable");
    assert!(detail.contains("Idempotency-Key"), "{detail}");
    assert_eq!(refused.headers["retry-after"], "1");
    server.get("/metrics").await.ok(200);
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let server = Server::start().await;
    server.get("/api/v1/agents/x").await.problem(404, "unknown-agent");
    server.get("/api/v1/agents/y").await.problem(404, "unknown-agent");
    server.get("/nothing").await.problem(404, "not-found");
    let text = server.get("/metrics").await.ok(200);
    let text = text.as_str().unwrap();
    let line = |labels: &str| format!("agenticai_http_requests_total{{{labels}}} ");
    assert!(
        text.contains(&(line(r#"method="GET",route="/api/v1/agents/{id}",status="404""#) + "2")),
        "{text}"
    );
    assert!(text.contains(&(line(r#"method="GET",route="unmatched",status="404""#) + "1")), "{text}");
    for name in [
        "agenticai_http_request_duration_seconds_bucket",
        "agenticai_streams_open 0",
        "agenticai_tasks_ready{priority=\"5\"} 0",
    ] {
        assert!(text.contains(name), "{name}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn documentation_needs_nothing_from_elsewhere() {
    let server = Server::start().await;
    let open = |path: &str| answer(server.http.get(format!("{}{path}", server.url)));
    let page = open("/docs").await.ok(200);
    let page = page.as_str().unwrap();
    assert!(page.contains("swagger-ui"));
    for text in [page, open("/docs/swagger-initializer.js").await.ok(200).as_str().unwrap()] {
        assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
    }
    let script = open("/docs/swagger-ui-bundle.js").await;
    assert_eq!(script.status, 200);
    assert_eq!(
        open("/openapi.json").await.ok(200),
        serde_json::to_value(agenticai_server::openapi()).unwrap()
    );
    let schema = open("/api/v1/agent-schema.json").await.ok(200);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[tokio::test]
async fn a_panic_is_a_problem_and_takes_nothing_with_it() {
    let server = Server::start().await;
    let answer = server.post("/api/v1/agents", json!({"name": "a", "model": "broken"})).await;
    let detail = answer.problem(500, "internal");
    assert!(!detail.contains("planted"), "{detail}");
    server.post("/api/v1/agents", json!({"name": "a", "model": "priced"})).await.ok(201);
}
