//! `agenticai health`, the probe of containers whose image has no other program.

use super::Cluster;
use crate::home::free_port;

#[tokio::test]
async fn it_says_whether_a_role_is_ready_and_why_not() {
    let cluster = Cluster::empty().await;
    let worker = cluster.start(&["worker"], &[]);
    let port = worker.admin.to_string();
    let ask = |more: &[&str]| cluster.run(&[&["health", "--admin-port", &port], more].concat());
    cluster.home.wait_for("the reason", || {
        let printed = ask(&[]);
        printed.code == 1 && printed.out.starts_with("not ready: process: waits for the database")
    });
    let printed = ask(&["--live"]);
    assert_eq!((printed.code, printed.out.trim()), (0, "alive"), "{printed:?}");

    assert_eq!(cluster.run(&["migrate", "up"]).code, 0);
    cluster.wait_ready(&worker);
    let printed = ask(&[]);
    assert_eq!((printed.code, printed.out.trim()), (0, "ready"), "{printed:?}");
    let printed = ask(&["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(answer["checks"]["database"], "ok", "{printed:?}");
}

#[tokio::test]
async fn it_asks_any_server_by_its_address() {
    let cluster = Cluster::bootstrapped().await;
    let port = free_port();
    let _api = cluster.ready(&["api", "--port", &port.to_string()]);
    let url = format!("http://localhost:{port}");
    let printed = cluster.run(&["health", "--url", &url]);
    assert_eq!((printed.code, printed.out.trim()), (0, "ready"), "{printed:?}");
}

#[tokio::test]
async fn nobody_and_strangers_are_not_healthy() {
    let cluster = Cluster::empty().await;
    let port = free_port().to_string();
    let printed = cluster.run(&["health", "--admin-port", &port]);
    assert_eq!(printed.code, 3, "{printed:?}");
    let printed = cluster.run(&["health", "--admin-port", "0"]);
    assert!(printed.code == 2 && printed.err.contains("--admin-port"), "{printed:?}");

    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", stranger.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = stranger.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
    });
    let printed = cluster.run(&["health", "--url", &url]);
    assert!(printed.code == 1 && printed.err.contains("not as agenticai does"), "{printed:?}");
}
