//! The stub over HTTP: what it answers, what it logs, what it counts.

use std::time::Duration;

use agenticai_testkit::checker::{Call, read_log};
use agenticai_testkit::http::{Answer, Http};
use agenticai_testkit::stub::script::{Script, ScriptCall};
use agenticai_testkit::stub::{Stub, StubConfig};
use serde_json::{Value, json};

struct Lab {
    stub: Stub,
    http: Http,
    dir: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Some(dir.path().join("stub.log"));
        let stub = Stub::start(&StubConfig { log, ..StubConfig::default() }).unwrap();
        Self { stub, http: Http::default(), dir }
    }

    async fn post(&self, path: &str, step: &str, body: Value) -> anyhow::Result<Answer> {
        let headers = [
            ("x-agenticai-task", "t"),
            ("x-agenticai-step", step),
            ("idempotency-key", &format!("t/{step}")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.http.send("POST", &format!("{}{path}", self.stub.url()), &headers, body.to_string()).await
    }

    fn log(&self) -> Vec<Call> {
        self.stub.sync_log().unwrap();
        read_log(&self.dir.path().join("stub.log")).unwrap()
    }
}

fn script() -> Script {
    let call = |tool: &str, arguments| ScriptCall { tool: tool.into(), arguments };
    Script {
        turns: vec![vec![
            call("charge", json!({"amount": 1})),
            call("note", json!({"text": "zwölf „Zeichen“ lang"})),
        ]],
        answer: "alles erledigt, größtenteils".into(),
        latency_ms: None,
    }
}

fn conversation(script: &Script, turns: usize) -> Vec<Value> {
    let mut messages = vec![json!({"role": "user", "content": script.to_message()})];
    for _ in 0..turns {
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": []}));
        messages.push(json!({"role": "tool", "content": "ok"}));
    }
    messages
}

/// The JSON documents of a stream of server-sent events.
fn events(answer: &Answer) -> Vec<Value> {
    let text = std::str::from_utf8(&answer.body).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}

#[tokio::test]
async fn a_script_is_followed_by_both_vendors_shapes() {
    let lab = Lab::new();
    let script = script();
    let body = json!({"messages": conversation(&script, 0), "stream": true});
    let chunks = events(&lab.post("/v1/chat/completions", "1", body).await.unwrap());
    let mut arguments = [String::new(), String::new()];
    for call in chunks.iter().filter_map(|c| c["choices"][0]["delta"]["tool_calls"][0].as_object()) {
        let index = call["index"].as_u64().unwrap() as usize;
        arguments[index] += call["function"]["arguments"].as_str().unwrap();
    }
    for (got, wanted) in arguments.iter().zip(&script.turns[0]) {
        assert_eq!(serde_json::from_str::<Value>(got).unwrap(), wanted.arguments);
    }
    assert!(chunks.iter().any(|c| c["choices"][0]["finish_reason"] == "tool_calls"));
    assert!(chunks.last().unwrap()["usage"]["prompt_tokens"].as_u64().unwrap() > 0);

    let body = json!({"messages": conversation(&script, 0)});
    let plain: Value =
        serde_json::from_slice(&lab.post("/v1/messages", "1", body).await.unwrap().body).unwrap();
    assert_eq!(plain["stop_reason"], "tool_use");
    assert_eq!(plain["content"][1]["input"], script.turns[0][1].arguments);

    let body = json!({"messages": conversation(&script, 1), "stream": true});
    let chunks = events(&lab.post("/v1/messages", "2", body).await.unwrap());
    let text: String = chunks.iter().filter_map(|c| c["delta"]["text"].as_str()).collect();
    assert_eq!(text, script.answer);
}

#[tokio::test]
async fn without_a_script_it_looks_up_as_often_as_it_is_told() {
    let lab = Lab::new();
    lab.stub.reset(0, 0, 2);
    let mut messages = vec![json!({"role": "user", "content": "Go."})];
    for n in 0..3 {
        let answer = lab.post("/v1/chat/completions", "1", json!({"messages": messages})).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let calls = answer["choices"][0]["message"]["tool_calls"].as_array();
        assert_eq!(calls.map(Vec::len), (n < 2).then_some(1), "with {n} results");
        messages.push(json!({"role": "tool", "content": "ok"}));
    }
}

#[tokio::test]
async fn the_log_tells_answered_calls_from_those_whose_client_went_away() {
    let lab = Lab::new();
    lab.post("/tool/note", "1.0", json!({"text": "a"})).await.unwrap();
    let slow = lab.post("/tool/charge", "1.1", json!({"latency_ms": 60_000}));
    assert!(tokio::time::timeout(Duration::from_millis(300), slow).await.is_err(), "it was to be slow");
    let noticed = async {
        while lab.stub.in_flight() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noticed)
        .await
        .expect("the stub notices that its client is gone");
    let log = lab.log();
    assert_eq!(log.len(), 2);
    assert!(log[0].end_us.is_some() && log[0].gone_us.is_none(), "{log:?}");
    assert!(log[1].end_us.is_none() && log[1].gone_us.is_some(), "{log:?}");
    assert_eq!((log[1].step.as_deref(), log[1].key.as_deref()), (Some("1.1"), Some("t/1.1")));
    assert!(log[1].in_flight_at(log[1].begin_us + 1) && !log[1].in_flight_at(log[1].gone_us.unwrap()));
    assert!(lab.stub.performed("t/1.1"), "it takes effect before it answers");
}

#[tokio::test]
async fn a_cut_call_does_nothing_and_its_repetition_is_served() {
    let lab = Lab::new();
    let body = json!({"amount": 1, "cut": true});
    lab.post("/tool/charge", "1.0", body.clone()).await.expect_err("no answer was to come");
    assert!(!lab.stub.performed("t/1.0"));
    assert!(lab.post("/tool/charge", "1.0", body).await.unwrap().status.is_success());
    assert!(lab.stub.performed("t/1.0"));
    assert_eq!(lab.log().len(), 2);
}

#[tokio::test]
async fn calls_that_name_no_task_are_counted() {
    let lab = Lab::new();
    let body = json!({"messages": [{"role": "user", "content": "Go."}]}).to_string();
    lab.http.send("POST", &format!("{}/v1/chat/completions", lab.stub.url()), &[], body).await.unwrap();
    assert_eq!(lab.stub.untagged(), 1);
}
