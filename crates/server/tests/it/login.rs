//! Every route is closed to strangers, but those of an explicit list.

use reqwest::Method;

use crate::server::{Server, answer};

/// Routes of the document that answer anybody.
const OPEN: &[&str] = &["/health", "/health/live", "/health/ready", "/metrics", "/api/v1/agent-schema.json"];

#[tokio::test]
async fn every_route_needs_a_login_but_those_of_the_list() {
    let server = Server::start().await;
    let document = serde_json::to_value(agenticai_server::openapi()).unwrap();
    let mut closed = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let address = path.replace("{id}", "x").replace("{turn}", "1");
        for method in item.as_object().unwrap().keys().filter_map(|m| m.to_uppercase().parse::<Method>().ok())
        {
            if !["GET", "PUT", "POST", "DELETE"].contains(&method.as_str()) {
                continue;
            }
            let url = format!("{}{address}", server.url);
            let plain = answer(server.http.request(method.clone(), &url)).await;
            if OPEN.contains(&path.as_str()) {
                assert_eq!(plain.status, 200, "{method} {path}");
                continue;
            }
            plain.problem(401, "unauthenticated");
            assert_eq!(plain.headers["www-authenticate"], "Bearer", "{method} {path}");
            for wrong in ["Bearer wrong-key", "Bearer ", "Basic dGVzdC1rZXk=", "test-key"] {
                let request = server.http.request(method.clone(), &url).header("authorization", wrong);
                answer(request).await.problem(401, "unauthenticated");
            }
            closed += 1;
        }
    }
    assert!(closed >= 15, "{closed} closed routes");
}

#[tokio::test]
async fn metrics_can_be_closed() {
    let settings = agenticai_server::ApiSettings { public_metrics: false, ..Default::default() };
    let server = Server::start_with(settings).await;
    let plain = server.http.get(format!("{}/metrics", server.url));
    answer(plain).await.problem(401, "unauthenticated");
    server.get("/metrics").await.ok(200);
}
