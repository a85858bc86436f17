//! Secrets go out and do not come back.

use agenticai_agent::secrets::Secrets;
use agenticai_agent::tools::{Tools, ToolsConfig};
use serde_json::json;

use super::server::{Reply, Server};
use super::{call, content, error, http_tool, local, resolve, uncertain};

const PLANTED: &str = "pl4nted+s3cret/42";

fn tools(dir: &tempfile::TempDir) -> Tools {
    std::fs::write(dir.path().join("TOKEN"), PLANTED).unwrap();
    Tools::new(ToolsConfig { secrets: Secrets::new(Some(dir.path().to_owned())), ..local() }).unwrap()
}

fn bearer() -> serde_json::Value {
    json!({"http": {"headers": {"authorization": "Bearer ${secret:TOKEN}"}}})
}

#[tokio::test]
async fn an_echo_shows_the_reference_instead() {
    let dir = tempfile::tempdir().unwrap();
    let tools = tools(&dir);
    let server = Server::start(|_, request| {
        let said = json!({"you_sent": request.head, request.header("authorization").unwrap(): 1}).to_string();
        Reply::answer(200, "content-type: application/json\r\n", said)
    })
    .await;
    let def = http_tool(&tools, &server.url("/?key=${secret:TOKEN}"), bearer()).await;
    assert!(!serde_json::to_string(&def).unwrap().contains(PLANTED), "what is stored holds the reference");
    let answer = content(call(&tools, &def, json!({})).await).to_string();
    assert_eq!(server.requests()[0].header("authorization").unwrap(), format!("bearer {PLANTED}"));
    assert!(!answer.contains("pl4nted") && answer.matches("${secret:TOKEN}").count() >= 3, "{answer}");
}

#[tokio::test]
async fn errors_do_not_show_it_either() {
    let dir = tempfile::tempdir().unwrap();
    let tools = tools(&dir);
    let echo =
        Server::start(|_, request| Reply::answer(403, "", format!("denied to {}", request.head))).await;
    let away =
        Server::start(|_, _| Reply::answer(302, &format!("location: http://10.0.0.1/{PLANTED}\r\n"), ""))
            .await;
    let cut = Server::start(|_, _| Reply::SendAndClose(Vec::new())).await;
    let path = "/${secret:TOKEN}?k=${secret:TOKEN}";
    for (server, change) in [(&echo, bearer()), (&away, bearer()), (&cut, bearer())] {
        let def = http_tool(&tools, &server.url(path), change).await;
        let (_, message) = error(call(&tools, &def, json!({})).await);
        assert!(!message.contains("pl4nted"), "{message}");
    }
    let once = json!({"effect": "once", "http": {"method": "POST"}});
    let def = http_tool(&tools, &cut.url(path), once.clone()).await;
    assert!(!uncertain(call(&tools, &def, json!({})).await).contains("pl4nted"));
    let def = http_tool(&tools, &away.url(path), once).await;
    assert!(!error(call(&tools, &def, json!({})).await).1.contains("pl4nted"));
}

#[tokio::test]
async fn a_missing_secret_is_named_and_nothing_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let tools = tools(&dir);
    let server = Server::start(|_, _| Reply::text("sent")).await;
    let headers = json!({"http": {"headers": {"x-key": "${secret:NOT_THERE_AT_ALL}"}}});
    let def = http_tool(&tools, &server.url("/"), headers).await;
    let (code, message) = error(call(&tools, &def, json!({})).await);
    assert!(code == "secret_missing" && message.contains("NOT_THERE_AT_ALL"), "{message}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_model_cannot_ask_for_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let tools = tools(&dir);
    let server = Server::start(|_, request| Reply::text(&request.head)).await;
    let def =
        resolve(&tools, json!([{"builtin": "http_request", "effect": "none"}])).await.unwrap().remove(0);
    let arguments = json!({"url": server.url("/"), "headers": {"x-mine": "${secret:TOKEN}"}});
    content(call(&tools, &def, arguments).await);
    assert_eq!(server.requests()[0].header("x-mine").as_deref(), Some("${secret:token}"));
    let override_key = json!({"url": server.url("/"), "headers": {"Idempotency-Key": "mine"}});
    assert_eq!(error(call(&tools, &def, override_key).await).0, "bad_request");
}
