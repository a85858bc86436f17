//! Requests that do not fit: each is a problem that says where and why, and nothing is stored.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, answer};

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused() {
    let server = Server::start().await;
    server.react("a").await;
    server.job("job", json!({})).await;
    let raw = |body: &str, kind: &str| {
        answer(
            server.request(Method::POST, "/api/v1/tasks").header("content-type", kind).body(body.to_owned()),
        )
    };
    raw("{", "application/json").await.problem(400, "malformed-json");
    raw("", "application/json").await.problem(400, "malformed-json");
    raw("{}", "text/plain").await.problem(415, "unsupported-media-type");
    let big = format!(r#"{{"agent": "a", "input": "{}"}}"#, "x".repeat(4 * 1024 * 1024));
    raw(&big, "application/json").await.problem(413, "body-too-large");
    let invalid_utf8 =
        server.request(Method::POST, "/api/v1/tasks").header("content-type", "application/json");
    answer(invalid_utf8.body(&b"{\"agent\": \"\xff\"}"[..])).await.problem(400, "malformed-json");

    for (body, says) in [
        (json!({"agent": "a", "input": "x", "colour": "red"}), "unknown field `colour`"),
        (json!({"agent": "a", "input": "x", "priority": 11}), "priority"),
        (json!({"agent": "a", "input": "x", "priority": "high"}), "priority"),
        (json!({"agent": "a", "input": "x", "timeout_seconds": 0}), "timeout_seconds"),
        (json!({"agent": "a", "input": "x", "timeout_seconds": -1}), "timeout_seconds"),
        (json!({"agent": "a", "input": "x", "metadata": {"k": "v".repeat(17_000)}}), "metadata"),
        (json!({"agent": "a", "input": 7}), "input"),
        (json!({"agent": "a", "input": ""}), "input"),
        (json!({"agent": "a", "input": []}), "input"),
        (
            json!({"agent": "a", "input": [{"role": "user", "content": [{"type": "image"}]}]}),
            "input[0].content[0]",
        ),
        (json!({"agent": "job", "input": "text"}), "input"),
        (json!({"agent": "job", "input": {}}), "to"),
        (json!({"agent": "job", "input": {"to": 7}}), "to"),
    ] {
        let answer = server.post("/api/v1/tasks", body.clone()).await;
        let detail = answer.problem(422, "invalid-request");
        assert!(detail.contains(says), "{body}: {detail}");
    }
    let detail = server
        .post("/api/v1/tasks", json!({"agent": "nobody", "input": "x"}))
        .await
        .problem(404, "unknown-agent");
    assert!(detail.contains("nobody"), "{detail}");
    assert_eq!(server.get("/api/v1/tasks/count").await.ok(200), json!({"count": 0}));
}

#[tokio::test]
async fn nul_bytes_and_odd_text_pass_unharmed() {
    let server = Server::start().await;
    server.react("a").await;
    let odd = "nul \u{0} quote \" emoji \u{1F980} line\u{2028}end <html>";
    let id = server.task("a", json!(odd)).await;
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}")).await.ok(200)["input"], odd);
}

#[tokio::test]
async fn addresses_that_do_not_exist_are_problems_too() {
    let server = Server::start().await;
    server.get("/nothing/here").await.problem(404, "not-found");
    for id in ["x", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        for rest in ["", "/journal", "/events", "/steps/1/request"] {
            server.get(&format!("/api/v1/tasks/{id}{rest}")).await.problem(404, "unknown-task");
        }
        server.post(&format!("/api/v1/tasks/{id}/cancel"), Value::Null).await.problem(404, "unknown-task");
        let signal = json!({"name": "n"});
        server.post(&format!("/api/v1/tasks/{id}/signals"), signal).await.problem(404, "unknown-task");
    }
    let wrong = answer(server.request(Method::PATCH, "/api/v1/tasks")).await;
    wrong.problem(405, "method-not-allowed");
    let allow = wrong.headers["allow"].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn a_request_keeps_its_id() {
    let server = Server::start().await;
    let given = answer(server.request(Method::GET, "/nothing").header("x-request-id", "mine-1")).await;
    given.problem(404, "not-found");
    assert_eq!(given.headers["x-request-id"], "mine-1");
    let odd = answer(server.request(Method::GET, "/nothing").header("x-request-id", "no good")).await;
    odd.problem(404, "not-found");
    assert_ne!(odd.headers["x-request-id"], "no good");
    assert!(server.get("/health").await.headers.contains_key("x-request-id"));
}
