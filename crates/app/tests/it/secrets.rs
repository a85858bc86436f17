//! A planted secret is used, and is found nowhere.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::home::{Home, Process};

const PLANTED: &str = "pl4nted-s3cret-7c1f";

/// A tool that tells everything that it was sent, its headers included.
fn echo() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(String::new()));
    let kept = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            let body = serde_json::json!({ "you_sent": text }).to_string();
            kept.lock().unwrap().push_str(&text);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (port, heard)
}

fn files_with_it(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_it(&path));
        } else if std::fs::read(&path).unwrap().windows(PLANTED.len()).any(|w| w == PLANTED.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_planted_secret_reaches_its_tool_and_nothing_else() {
    let home = Home::new();
    let (port, heard) = echo();
    let agent = home.file(
        "agent.yaml",
        &format!(
            "name: keeper\nmodel: practice\ntools:\n  - name: lookup\n    description: Looks a term up.\n    effect: none\n    \
             parameters: {{type: object, properties: {{q: {{type: string}}}}, required: [q]}}\n    \
             http: {{method: GET, url: \"http://127.0.0.1:{port}/lookup\", headers: {{Authorization: \"Bearer ${{secret:LOOKUP_TOKEN}}\"}}}}\n"
        ),
    );
    let mut server = home.command(&["up"]);
    server.env("LOOKUP_TOKEN", PLANTED).env("AGENTICAI_LOG_LEVEL", "debug").stdout(Stdio::null());
    let mut server = Process(server.spawn().unwrap());
    // Its log is read all the time, or it would stand still once the pipe is full.
    let mut pipe = server.0.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    });
    home.wait_for("the server", || home.run(&["agent", "list"]).code == 0);

    let mut shown = home.ok(&["agent", "apply", "-f", &agent]);
    let run = home.run(&["run", "--agent", "keeper", "Use lookup to find \"durable\"."]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(heard.lock().unwrap().contains(PLANTED), "the tool was sent its secret");
    shown += &run.out;
    shown += &run.err;
    let tasks = home.json(&["task", "list"]);
    let id = tasks["items"][0]["id"].as_str().unwrap().to_owned();
    shown += &tasks.to_string();
    shown += &home.ok(&["agent", "show", "keeper"]);
    for args in [&["task", "show", &id, "--journal"][..], &["task", "show", &id, "--step", "2", "--request"]]
    {
        shown += &home.ok(args);
    }
    assert!(shown.contains("you_sent"), "the result was shown: {shown}");
    server.signal("TERM");
    server.end();
    let log = log.join().unwrap();
    assert!(!log.is_empty());
    assert!(!shown.contains(PLANTED), "it was shown: {shown}");
    assert!(!log.contains(PLANTED), "it was logged: {log}");
    assert_eq!(files_with_it(&home.data()), Vec::<String>::new(), "it lies on the disk");
}
