//! What comes back, and what is made of it.

use serde_json::json;

use super::server::{Reply, Server};
use super::{call, content, error, http_tool, tools};

async fn answered(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> agenticai_domain::outcome::ToolOutcome {
    let server = Server::start(move |_, _| reply()).await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    call(&tools, &def, json!({})).await
}

#[tokio::test]
async fn json_becomes_a_value_and_keeps_nul() {
    let outcome = answered(|| {
        Reply::answer(200, "content-type: application/json; charset=utf-8\r\n", r#"{"a": [1, "x\u0000y"]}"#)
    });
    assert_eq!(content(outcome.await), json!({"a": [1, "x\u{0}y"]}));
    let broken = answered(|| Reply::answer(200, "content-type: application/json\r\n", "{oops"));
    assert_eq!(content(broken.await), json!("{oops"));
}

#[tokio::test]
async fn text_html_and_bare_nul_stay_text() {
    let html = answered(|| Reply::answer(200, "content-type: text/html\r\n", "<html><b>hi</b></html>"));
    assert_eq!(content(html.await), json!("<html><b>hi</b></html>"));
    assert_eq!(content(answered(|| Reply::text("a\u{0}b")).await), json!("a\u{0}b"));
    assert_eq!(content(answered(|| Reply::answer(200, "", "plain")).await), json!("plain"));
    assert_eq!(content(answered(|| Reply::answer(204, "", "")).await), json!(""));
}

#[tokio::test]
async fn invalid_utf8_is_replaced_and_said() {
    let outcome = answered(|| Reply::answer(200, "content-type: text/plain\r\n", b"caf\xe9 ok"));
    let text = content(outcome.await);
    let text = text.as_str().unwrap();
    assert!(text.starts_with("caf\u{fffd} ok\n") && text.contains("not valid UTF-8"), "{text}");
}

#[tokio::test]
async fn binary_and_compressed_answers_are_named() {
    let (code, message) =
        error(answered(|| Reply::answer(200, "content-type: image/png\r\n", b"\x89PNG")).await);
    assert_eq!(code, "binary");
    assert!(message.contains("image/png"), "{message}");
    let zipped = answered(|| {
        Reply::answer(200, "content-type: text/plain\r\ncontent-encoding: gzip\r\n", b"\x1f\x8b")
    });
    assert_eq!(error(zipped.await).0, "unsupported_encoding");
}

#[tokio::test]
async fn ten_megabytes_are_not_read() {
    // Announced, and not announced; in the second case the server also has to notice that nobody reads on.
    let announced = answered(|| Reply::answer(200, "content-type: text/plain\r\n", vec![b'x'; 10 << 20]));
    let (code, message) = error(announced.await);
    assert_eq!(code, "too_large");
    assert!(message.contains("65536 bytes") && message.contains("was performed"), "{message}");
    let endless = answered(|| {
        let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n".to_vec();
        bytes.resize(10 << 20, b'x');
        Reply::Send(bytes)
    });
    assert_eq!(error(endless.await).0, "too_large");
}

#[tokio::test]
async fn the_bound_itself_is_allowed() {
    let whole = answered(|| Reply::text(&"x".repeat(65_536)));
    assert_eq!(content(whole.await).as_str().unwrap().len(), 65_536);
    assert_eq!(error(answered(|| Reply::text(&"x".repeat(65_537))).await).0, "too_large");
}

#[tokio::test]
async fn a_refusal_carries_status_and_an_excerpt() {
    let outcome =
        answered(|| Reply::answer(404, "content-type: text/html\r\n", "no such page ".repeat(10_000))).await;
    assert_eq!(outcome.attempts, 1);
    let (code, message) = error(outcome);
    assert_eq!(code, "http_404");
    assert!(
        message.contains("404") && message.contains("no such page") && message.len() < 2_100,
        "{message}"
    );
}

#[tokio::test]
async fn arguments_travel_as_query_or_as_json() {
    let server = Server::start(|_, _| Reply::text("ok")).await;
    let tools = tools();
    let arguments = json!({"q": "a b&c", "n": 3, "tags": ["x", "y"], "deep": {"k": true}, "none": null});
    let get = http_tool(&tools, &server.url("/find?fixed=1"), json!({})).await;
    content(call(&tools, &get, arguments.clone()).await);
    let post = http_tool(&tools, &server.url("/make"), json!({"http": {"method": "POST"}})).await;
    content(call(&tools, &post, arguments.clone()).await);
    let requests = server.requests();
    let line = requests[0].head.lines().next().unwrap();
    assert!(line.starts_with("get /find?fixed=1&"), "{line}");
    for pair in ["q=a+b%26c", "n=3", "tags=x&tags=y", "deep=%7b%22k%22%3atrue%7d"] {
        assert!(line.contains(pair), "{pair} in {line}");
    }
    assert!(!line.contains("none"), "{line}");
    assert_eq!(requests[1].header("content-type").unwrap(), "application/json");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&requests[1].body).unwrap(), arguments);
}

#[tokio::test]
async fn head_returns_the_headers() {
    let server = Server::start(|_, _| {
        Reply::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\netag: \"7\"\r\n\r\n".to_vec())
    })
    .await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), json!({"http": {"method": "HEAD"}})).await;
    let answer = content(call(&tools, &def, json!({})).await);
    assert_eq!((answer["status"].clone(), answer["headers"]["etag"].clone()), (json!(200), json!("\"7\"")));
}
