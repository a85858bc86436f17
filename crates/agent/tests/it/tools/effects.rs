//! Effect classes: what is repeated, what is not, and what is left to a person.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::{Reply, Request, Server};
use super::{call, content, context, error, http_tool, tools, uncertain};

fn once() -> Value {
    json!({"effect": "once", "http": {"method": "POST"}})
}

fn cut() -> Reply {
    Reply::SendAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec())
}

#[tokio::test]
async fn calls_say_who_they_are_and_keep_their_key_through_attempts() {
    let server =
        Server::start(|n, _| if n < 2 { Reply::answer(503, "", "later") } else { Reply::text("done") }).await;
    let tools = tools();
    let def =
        http_tool(&tools, &server.url("/"), json!({"effect": "idempotent", "http": {"method": "POST"}}))
            .await;
    let outcome = call(&tools, &def, json!({})).await;
    assert_eq!(outcome.attempts, 3);
    assert_eq!(content(outcome), json!("done"));
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let task = "00000000-0000-0000-0000-000000000002";
    for (i, request) in requests.iter().enumerate() {
        assert_eq!(request.header("x-agenticai-task").as_deref(), Some(task));
        assert_eq!(request.header("x-agenticai-step").as_deref(), Some("3.1"));
        assert_eq!(request.header("x-agenticai-epoch").as_deref(), Some("7"));
        assert_eq!(request.header("x-agenticai-attempt"), Some((i + 1).to_string()));
        assert_eq!(request.header("idempotency-key"), Some(format!("{task}/3.1")));
        assert!(request.header("traceparent").unwrap().starts_with("00-0af7"));
    }
}

#[tokio::test]
async fn harmless_calls_are_repeated_after_every_kind_of_failure() {
    let server = Server::start(|n, _| match n {
        0 => Reply::SendAndClose(Vec::new()),
        1 => cut(),
        _ => Reply::text("at last"),
    })
    .await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    assert_eq!(content(call(&tools, &def, json!({})).await), json!("at last"));
    let server = Server::start(|_, _| cut()).await;
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    let outcome = call(&tools, &def, json!({})).await;
    assert_eq!((outcome.attempts, error(outcome).0.as_str()), (3, "connection_lost"));
}

#[tokio::test]
async fn a_tool_that_hangs_is_given_up() {
    let server = Server::start(|_, _| Reply::Hang).await;
    let tools = tools();
    let patient = json!({"timeout_seconds": 1, "retry": {"max_attempts": 1}});
    let def = http_tool(&tools, &server.url("/"), patient.clone()).await;
    let (code, message) = error(call(&tools, &def, json!({})).await);
    assert_eq!(code, "timeout");
    assert!(message.contains("1 s"), "{message}");
    let mut change = once();
    super::merge(&mut change, patient);
    let def = http_tool(&tools, &server.url("/"), change).await;
    assert!(uncertain(call(&tools, &def, json!({})).await).contains("1 s"));
}

#[tokio::test]
async fn once_is_sent_once_and_uncertain_without_a_whole_answer() {
    let tools = tools();
    for reply in [
        cut as fn() -> Reply,
        || Reply::SendAndClose(Vec::new()),
        || Reply::SendAndClose(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel".to_vec()),
    ] {
        let server = Server::start(move |_, _| reply()).await;
        let def = http_tool(&tools, &server.url("/"), once()).await;
        let outcome = call(&tools, &def, json!({})).await;
        assert_eq!(outcome.attempts, 1);
        uncertain(outcome);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn once_takes_every_whole_answer_as_the_end() {
    let tools = tools();
    for status in [500, 503, 429, 400] {
        let server = Server::start(move |_, _| Reply::answer(status, "retry-after: 0\r\n", "no")).await;
        let def = http_tool(&tools, &server.url("/"), once()).await;
        assert_eq!(error(call(&tools, &def, json!({})).await).0, format!("http_{status}"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn once_is_repeated_only_while_certainly_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let tools = tools();
    let outcome = call(&tools, &http_tool(&tools, &url, once()).await, json!({})).await;
    assert_eq!((outcome.attempts, error(outcome).0.as_str()), (3, "unreachable"));
    // A server that speaks no TLS: the handshake fails before the request is written.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    let greeter = tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let outcome = call(&tools, &http_tool(&tools, &url, once()).await, json!({})).await;
    assert_eq!((outcome.attempts, error(outcome).0.as_str()), (3, "unreachable"));
    greeter.abort();
}

#[tokio::test]
async fn once_never_reuses_a_connection() {
    let server = Server::start(|_, _| Reply::text("ok")).await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), once()).await;
    for _ in 0..3 {
        content(call(&tools, &def, json!({})).await);
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 3));
    // Others do: that is what shows that the number above means something.
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    for _ in 0..3 {
        content(call(&tools, &def, json!({})).await);
    }
    assert_eq!((server.requests().len(), server.connections()), (6, 4));
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_costs_no_attempt() {
    let closing = |_: usize, _: &Request| {
        Reply::SendAndClose(
            b"HTTP/1.1 200 Said\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok".to_vec(),
        )
    };
    let server = Server::start(closing).await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    for _ in 0..3 {
        assert_eq!(call(&tools, &def, json!({})).await.attempts, 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 3));
}

#[tokio::test]
async fn an_answer_before_the_whole_request_is_sent_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hasty = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!").await.unwrap();
            open.push(stream);
        }
        open
    });
    let tools = tools();
    let def = http_tool(&tools, &url, once()).await;
    let large = json!({"text": "x".repeat(16 * 1024 * 1024)});
    for _ in 0..2 {
        let (code, message) = error(call(&tools, &def, large.clone()).await);
        assert!(code == "http_413" && message.contains("no!"), "{code}: {message}");
    }
    hasty.abort();
}

#[tokio::test]
async fn redirects_are_followed_for_harmless_calls_and_not_for_once() {
    let server = Server::start(|_, request| match request.head.split(' ').nth(1) {
        Some("/old") => Reply::answer(307, "location: /new\r\n", ""),
        Some("/form") => Reply::answer(303, "location: /new\r\n", ""),
        Some("/loop") => Reply::answer(302, "location: /loop\r\n", ""),
        _ => Reply::text("new"),
    })
    .await;
    let tools = tools();
    let post = json!({"http": {"method": "POST", "headers": {"x-key": "k"}}});
    let def = http_tool(&tools, &server.url("/old"), post.clone()).await;
    assert_eq!(content(call(&tools, &def, json!({"a": 1})).await), json!("new"));
    let last = server.requests().pop().unwrap();
    assert!(last.head.starts_with("post /new") && last.body == r#"{"a":1}"#, "{last:?}");
    assert_eq!(last.header("x-key").as_deref(), Some("k"));
    let def = http_tool(&tools, &server.url("/form"), post).await;
    content(call(&tools, &def, json!({"a": 1})).await);
    let last = server.requests().pop().unwrap();
    assert!(last.head.starts_with("get /new") && last.body.is_empty(), "{last:?}");
    let def = http_tool(&tools, &server.url("/loop"), json!({})).await;
    assert_eq!(error(call(&tools, &def, json!({})).await).0, "too_many_redirects");
    let before = server.requests().len();
    let def = http_tool(&tools, &server.url("/old"), once()).await;
    let (code, message) = error(call(&tools, &def, json!({})).await);
    assert!(code == "http_307" && message.contains("/new"), "{code} {message}");
    assert_eq!(server.requests().len(), before + 1);
}

#[tokio::test]
async fn another_origin_gets_no_headers_of_the_first() {
    let other = Server::start(|_, _| Reply::text("other")).await;
    let target = format!("location: {}\r\n", other.url("/"));
    let server = Server::start(move |_, _| Reply::answer(302, &target, "")).await;
    let tools = tools();
    let headers = json!({"http": {"headers": {"authorization": "Bearer abcdef", "x-api-key": "k"}}});
    let def = http_tool(&tools, &server.url("/"), headers).await;
    assert_eq!(content(call(&tools, &def, json!({})).await), json!("other"));
    let got = other.requests().remove(0);
    assert!(got.header("authorization").is_none() && got.header("x-api-key").is_none(), "{got:?}");
    assert!(got.header("idempotency-key").is_some());
}

#[tokio::test]
async fn nothing_is_sent_without_the_lease() {
    let tools = tools();
    for change in [once(), json!({})] {
        let server = Server::start(|_, _| Reply::text("sent")).await;
        let def = http_tool(&tools, &server.url("/"), change).await;
        let (ctx, lease) = context();
        lease.store(false, Ordering::SeqCst);
        let outcome = tools.call(&def, &json!({}), &ctx).await;
        assert_eq!((outcome.attempts, error(outcome).0.as_str()), (0, "lease_lost"));
        assert_eq!(server.requests().len(), 0);
    }
}

/// A database that stands still puts the lease in doubt, and must not make a call fail that was never sent.
#[tokio::test]
async fn a_call_waits_while_the_lease_is_in_doubt() {
    let tools = tools();
    for change in [once(), json!({})] {
        let server = Server::start(|_, _| Reply::text("sent")).await;
        let def = http_tool(&tools, &server.url("/"), change).await;
        let (mut ctx, lease) = context();
        ctx.lease_gone = std::sync::Arc::new(|| false);
        lease.store(false, Ordering::SeqCst);
        let back = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            assert_eq!(server.requests().len(), 0, "it was sent without the lease");
            lease.store(true, Ordering::SeqCst);
        };
        let arguments = json!({});
        let (outcome, ()) = tokio::join!(tools.call(&def, &arguments, &ctx), back);
        assert_eq!(outcome.attempts, 1, "waiting is no attempt");
        content(outcome);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_lease_is_asked_again_before_another_attempt() {
    let (ctx, lease) = context();
    let server = Server::start(move |_, _| {
        lease.store(false, Ordering::SeqCst);
        Reply::answer(500, "", "")
    })
    .await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    let outcome = tools.call(&def, &json!({}), &ctx).await;
    assert_eq!((outcome.attempts, error(outcome).0.as_str()), (1, "lease_lost"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn retry_after_is_waited_for_within_the_policy() {
    let server = Server::start(|n, _| match n {
        0 => Reply::answer(429, "retry-after: 1\r\n", ""),
        _ => Reply::text("ok"),
    })
    .await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    let started = Instant::now();
    assert_eq!(content(call(&tools, &def, json!({})).await), json!("ok"));
    assert!(started.elapsed() >= Duration::from_secs(1));
    let server = Server::start(|_, _| Reply::answer(429, "retry-after: 3600\r\n", "slow down")).await;
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    let outcome = call(&tools, &def, json!({})).await;
    assert_eq!(outcome.attempts, 1);
    let (code, message) = error(outcome);
    assert!(code == "http_429" && message.contains("3600 s") && message.contains("slow down"), "{message}");
}

#[tokio::test]
async fn a_cancelled_call_closes_its_connection() {
    let server = Server::start(|_, _| Reply::Hang).await;
    let tools = tools();
    let def = http_tool(&tools, &server.url("/"), json!({"timeout_seconds": 60})).await;
    let task = {
        let (tools, ctx) = (tools.clone(), context().0);
        tokio::spawn(async move { tools.call(&def, &json!({}), &ctx).await })
    };
    while server.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(server.requests().len(), 1);
}
