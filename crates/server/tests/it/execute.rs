//! Executing an agent and waiting for its answer.

use std::time::Duration;

use agenticai_domain::ids::StepId;
use agenticai_domain::outcome::ToolResult;
use reqwest::Method;
use serde_json::json;

use crate::hand::Hand;
use crate::server::{Answer, Server, answer};

async fn execute(server: &Server, prefer: Option<&str>) -> Answer {
    let mut request =
        server.request(Method::POST, "/api/v1/agents/job/execute").json(&json!({"input": {"to": "a"}}));
    if let Some(prefer) = prefer {
        request = request.header("prefer", prefer);
    }
    answer(request).await
}

/// Ends the first task that is created from now on. `loud`: with a live event.
async fn work(server: &Server, loud: bool) {
    while agenticai_store::Leases::backlog(&server.store).await.unwrap().0 == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut hand = Hand::claim(server).await;
    hand.loud = loud;
    hand.advance(vec![]).await;
    hand.tool(StepId::call(1, 0), ToolResult::ok(json!("sent"))).await;
}

#[tokio::test]
async fn the_answer_comes_with_the_response_if_it_comes_in_time() {
    let server = Server::start().await;
    server.job("job", json!({})).await;
    for loud in [true, false] {
        let (answer, ()) = tokio::join!(execute(&server, Some("wait=10")), work(&server, loud));
        assert_eq!(answer.headers["preference-applied"], "wait=10");
        let view = answer.ok(200);
        assert_eq!((&view["status"], &view["output"]), (&json!("completed"), &json!("sent")));
    }
}

#[tokio::test]
async fn a_task_that_takes_longer_goes_on_without_the_client() {
    let settings =
        agenticai_server::ApiSettings { max_wait: Duration::from_millis(50), ..Default::default() };
    let server = Server::start_with(settings).await;
    server.job("job", json!({})).await;
    let late = execute(&server, Some("wait=3600")).await;
    let location = late.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(late.ok(202)["status"], "pending");
    work(&server, true).await;
    assert_eq!(server.get(&location).await.ok(200)["status"], "completed");

    let at_once = execute(&server, None).await;
    assert!(!at_once.headers.contains_key("preference-applied"));
    at_once.ok(202);
}

#[tokio::test]
async fn a_server_that_stops_does_not_keep_its_clients() {
    let server = Server::start().await;
    server.job("job", json!({})).await;
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(execute(&server, Some("wait=15")), stop);
    answer.ok(202);
}
