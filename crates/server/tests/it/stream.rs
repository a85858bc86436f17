//! Event streams: order, resuming, tokens, and live events that are lost.

use std::time::Duration;

use agenticai_broker::{Broker, Live, Token};
use agenticai_domain::ids::StepId;
use agenticai_domain::outcome::ToolResult;
use serde_json::{Value, json};

use crate::hand::Hand;
use crate::server::Server;
use crate::sse::{Event, Events};

fn token(hand: &Hand<'_>, turn: u32, attempt: u32, text: &str) -> Live {
    let (step, epoch, text) = (StepId::model(turn), hand.epoch(), text.to_owned());
    Live::Token(Token { step, epoch, attempt, offset: 0, text })
}

/// A task with a longer journal.
async fn finished(server: &Server, turns: u32) -> agenticai_domain::ids::TaskId {
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let hand = Hand::claim(server).await;
    for turn in 1..turns {
        // The model calls a tool that does not exist, is told, and goes on.
        hand.model_calls(turn, "nothing", "{}").await;
    }
    hand.model_says(turns, "done").await;
    id
}

async fn journal(server: &Server, id: agenticai_domain::ids::TaskId) -> Vec<Value> {
    let page = server.get(&format!("/api/v1/tasks/{id}/journal?limit=1000")).await.ok(200);
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_stream_tells_the_whole_story_live() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let mut events = Events::open(&server, id, None).await;
    assert_eq!(events.expect("status").await.data["status"], "pending");
    let mut hand = Hand::claim(&server).await;

    server
        .broker
        .publish(id, Live::Started { step: StepId::model(1), name: "priced".into(), epoch: hand.epoch() });
    server.broker.publish(id, token(&hand, 1, 1, "Let"));
    server.broker.publish(id, token(&hand, 1, 2, "Hel"));
    server.broker.publish(id, token(&hand, 1, 1, "void"));
    server.broker.publish(id, token(&hand, 1, 2, "lo"));
    assert_eq!(events.expect("started").await.data["step"], "1");
    for text in ["Let", "Hel", "lo"] {
        let token = events.expect("token").await;
        assert_eq!((token.data["text"].as_str(), token.id), (Some(text), None));
    }
    hand.model_calls(1, "mail", r#"{"to": "bob"}"#).await;
    let entry = events.expect("entry").await;
    assert_eq!((entry.id, &entry.data["entry"]["type"]), (Some(1), &json!("turn")));
    // A token of a turn that is committed comes too late for anybody.
    server.broker.publish(id, token(&hand, 1, 9, "late"));
    let status = events.expect("status").await;
    assert_eq!(
        (&status.data["status"], &status.data["waiting_for"][0]["step"]),
        (&json!("waiting"), &json!("1.0"))
    );

    let decision = json!({"step": "1.0", "decision": "approve"});
    server.post(&format!("/api/v1/tasks/{id}/signals"), decision).await.ok(202);
    hand.claim_again().await;
    hand.advance(vec![]).await;
    hand.tool(StepId::call(1, 0), ToolResult::ok(json!("sent"))).await;
    hand.model_says(2, "done").await;
    let rest = events.rest().await;
    assert_eq!(rest.last().map(|e| (e.name.as_str(), &e.data["output"])), Some(("end", &json!("done"))));
    assert!(rest.iter().all(|e| e.name != "token"), "{rest:?}");
    let ids: Vec<_> = rest.iter().filter_map(|e| e.id).collect();
    assert_eq!(ids, (2..=journal(&server, id).await.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_reconnects_anywhere_sees_the_same_journal() {
    let server = Server::start().await;
    // More than two pages of the stream's reader.
    let id = finished(&server, 230).await;
    let journal = journal(&server, id).await;
    for last in 0..=journal.len() as u64 {
        if last > 5 && last < journal.len() as u64 - 5 && last % 37 != 0 {
            continue;
        }
        let events = Events::open(&server, id, Some(last)).await.rest().await;
        let (entries, others): (Vec<&Event>, Vec<&Event>) = events.iter().partition(|e| e.name == "entry");
        let seen: Vec<_> = entries.iter().map(|e| e.data.clone()).collect();
        assert_eq!(seen, journal[last as usize..], "after {last}");
        assert!(entries.iter().all(|e| e.id == e.data["seq"].as_u64()));
        let names: Vec<_> = others.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["status", "end"], "after {last}");
    }
}

#[tokio::test]
async fn a_client_that_is_ahead_of_the_journal_begins_anew() {
    let server = Server::start().await;
    let id = finished(&server, 3).await;
    let events = Events::open(&server, id, Some(99)).await.rest().await;
    assert_eq!((events[0].name.as_str(), &events[0].data), ("reset", &json!({"last_seq": 3})));
    assert_eq!(events.iter().filter_map(|e| e.id).collect::<Vec<_>>(), [1, 2, 3]);
    let request = server.request(reqwest::Method::GET, &format!("/api/v1/tasks/{id}/events"));
    crate::server::answer(request.header("last-event-id", "abc")).await.problem(400, "bad-header");
}

#[tokio::test]
async fn a_lost_live_event_delays_and_never_hangs() {
    let settings = agenticai_server::ApiSettings { poll: Duration::from_millis(50), ..Default::default() };
    let server = Server::start_with(settings).await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let mut events = Events::open(&server, id, None).await;
    events.expect("status").await;
    let mut hand = Hand::claim(&server).await;
    hand.loud = false;
    hand.model_calls(1, "nothing", "{}").await;
    while events.next().await.expect("an event").id != Some(1) {}
    hand.model_says(2, "done").await;
    assert_eq!(events.rest().await.last().map(|e| e.name.clone()), Some("end".to_owned()));
}

#[tokio::test]
async fn a_client_that_lags_loses_tokens_and_no_entry() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let mut events = Events::open(&server, id, None).await;
    events.expect("status").await;
    let hand = Hand::claim(&server).await;
    for turn in 1..=20 {
        for _ in 0..100 {
            server.broker.publish(id, token(&hand, turn, 1, "x"));
        }
        if turn < 20 {
            hand.model_calls(turn, "nothing", "{}").await;
        }
    }
    hand.model_says(20, "done").await;
    let rest = events.rest().await;
    assert_eq!(rest.iter().filter_map(|e| e.id).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn streams_are_counted_and_end_when_the_server_stops() {
    let server = Server::start().await;
    server.react("a").await;
    let id = server.task("a", json!("x")).await;
    let mut events = Events::open(&server, id, None).await;
    events.expect("status").await;
    let text = server.get("/metrics").await.ok(200);
    assert!(text.as_str().unwrap().contains("agenticai_streams_open 1"));
    server.shutdown.cancel();
    assert_eq!(events.next().await, None);
}
