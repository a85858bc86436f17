//! Models are reached through the proxy that the environment names, and past it where `NO_PROXY` says so.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::home::{Home, Printed};

/// A proxy that answers every request itself, as a model would. Answers its port and the request lines that it saw.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 16384]);
            while !complete(&request) {
                match stream.read(&mut piece) {
                    Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            kept.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
            let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"From afar."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (port, seen)
}

/// Whether a request has its head and as much body as that says.
pub fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>())
    });
    body.len() >= length.and_then(Result::ok).unwrap_or(0)
}

#[test]
fn models_are_reached_through_the_environments_proxy() {
    let (port, seen) = proxy();
    let run = |no_proxy: &str| {
        let home = Home::new();
        let mut command = home.command(&["run", "Where are you?"]);
        command
            // A name that only a proxy could know.
            .env("AGENTICAI_MODEL_URL", "http://models.invalid/v1")
            .env("AGENTICAI_MODELS_DEFAULT", "far")
            .env("AGENTICAI_MODELS_MAX_ATTEMPTS", "1")
            .env("HTTP_PROXY", format!("http://127.0.0.1:{port}"))
            .env("http_proxy", format!("http://127.0.0.1:{port}"))
            .env("NO_PROXY", no_proxy);
        Printed::of(command.output().unwrap())
    };
    let through = run("localhost,127.0.0.1");
    assert!(through.code == 0 && through.out.contains("From afar."), "{through:?}");
    let lines = seen.lock().unwrap().clone();
    assert!(
        lines.iter().all(|line| line.contains("http://models.invalid/v1")) && !lines.is_empty(),
        "{lines:?}"
    );
    let past = run("models.invalid");
    assert_eq!(past.code, 1, "{past:?}");
    assert_eq!(seen.lock().unwrap().len(), lines.len(), "the proxy was not asked");
}
