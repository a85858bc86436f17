use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::home::Home;

#[test]
fn sigterm_ends_it_cleanly() {
    let home = Home::new();
    let mut server = home.up();
    assert!(home.data().join("server.json").exists());
    server.signal("TERM");
    let (code, err) = server.end();
    assert_eq!(code, 0, "{err}");
    assert!(!home.data().join("server.json").exists());
    assert_eq!(home.run(&["task", "list"]).code, 3);
}

#[test]
fn a_second_server_of_the_same_directory_is_refused_by_name() {
    let home = Home::new();
    let _server = home.up();
    let second = home.run(&["up", "--port", "0"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains(&home.url()), "{second:?}");
    home.ok(&["task", "list"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let home = Home::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let printed = home.run(&["up", "--port", &port]);
    assert_eq!(printed.code, 1, "{printed:?}");
    assert!(printed.err.contains(&port) && printed.err.contains("--port"), "{printed:?}");
}

#[test]
fn it_listens_on_this_machine_alone_and_answers_plain_http() {
    let home = Home::new();
    let _server = home.up();
    let authority = home.url().trim_start_matches("http://localhost:").to_owned();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{authority}")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    for metric in ["agenticai_http_requests", "agenticai_worker_tasks_in_flight", "agenticai_store_commits"] {
        assert!(text.contains(metric), "{metric} is missing");
    }
    let document = home.json(&["doctor"]);
    assert_eq!(document["ok"], true, "{document}");
    #[cfg(target_os = "linux")]
    {
        let port = format!(":{:04X} ", authority.parse::<u16>().unwrap());
        let listening = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let ours: Vec<&str> = listening.lines().filter(|l| l.contains(&port) && l.contains(" 0A ")).collect();
        assert!(!ours.is_empty() && ours.iter().all(|line| line.contains("0100007F")), "{ours:?}");
    }
}

#[test]
fn the_assistant_follows_the_model_until_its_user_changes_it() {
    let home = Home::new();
    let model = |home: &Home| home.json(&["agent", "show", "assistant"])["model"]["name"].clone();
    let restarted = |home: &Home, name: &str| {
        let mut command = home.command(&["run", "Use the calculator: 1 + 1"]);
        command.env("AGENTICAI_MODELS_DEFAULT", name).output().unwrap()
    };
    restarted(&home, "one");
    restarted(&home, "two");
    let mut server = home.up();
    assert_eq!(model(&home), "practice");
    let own = home.ok(&["agent", "show", "assistant"]) + "description: Mine.\n";
    let own = own.replacen("description: The", "#", 1);
    let file = home.file("assistant.yaml", &own);
    home.ok(&["agent", "apply", "-f", &file]);
    server.kill();
    restarted(&home, "three");
    let _server = home.up();
    assert_eq!(model(&home), "practice");
    assert!(home.json(&["agent", "show", "assistant"])["version"].as_u64().unwrap() >= 4);
}
