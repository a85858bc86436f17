//! Usage over HTTP.

use serde_json::json;

use crate::hand::Hand;
use crate::server::Server;

#[tokio::test]
async fn what_tasks_have_consumed_is_summed_up() {
    let server = Server::start().await;
    server.react("a").await;
    let empty = server.get("/api/v1/usage").await.ok(200);
    assert_eq!(empty["items"], json!([]));
    for _ in 0..2 {
        server.post("/api/v1/tasks", json!({"agent": "a", "input": "x"})).await.ok(201);
        Hand::claim(&server).await.model_says(1, "y").await;
    }
    let report = server.get("/api/v1/usage?by=day,agent,user").await.ok(200);
    let [sum] = report["items"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!((&sum["completed"], &sum["failed"], &sum["agent"]), (&json!(2), &json!(0), &json!("a")));
    assert_eq!(sum["user"], json!(server.owner.user));
    assert!(sum["from"].as_str().unwrap().ends_with("T00:00:00.000Z"));
    assert!(sum["input_tokens"].as_u64().unwrap() > 0, "{sum}");
    let past = server.get("/api/v1/usage?from=2020-01-01T00:00:00Z&until=2020-01-02T00:30:00Z").await.ok(200);
    assert_eq!((&past["items"], &past["until"]), (&json!([]), &json!("2020-01-02T01:00:00.000Z")));
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let server = Server::start().await;
    for query in [
        "by=week",
        "by=hour,day",
        "from=yesterday",
        "from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "limit=3",
    ] {
        server.get(&format!("/api/v1/usage?{query}")).await.problem(400, "bad-query");
    }
}
