//! Tasks through `api` and `worker`, on PostgreSQL alone.

use serde_json::Value;

use super::Cluster;
use crate::home::free_port;

const AGENT: &str = "name: adder\nmodel: {name: practice}\ninstructions: Calculate.\ntools: [calculator]\n";

#[tokio::test]
async fn a_task_is_accepted_by_one_process_and_done_by_another() {
    let cluster = Cluster::bootstrapped().await;
    let port = free_port();
    let _api = cluster.ready(&["api", "--port", &port.to_string()]);
    let mut first = cluster.ready(&["worker"]);
    let _scheduler = cluster.ready(&["scheduler"]);
    let (url, key) = (format!("http://127.0.0.1:{port}"), cluster.key_file());
    let client = |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--url", &url, "--api-key-file", &key, "--json"]);
        let printed = cluster.run(&all);
        assert_eq!(printed.code, 0, "{args:?}: {printed:?}");
        serde_json::from_str::<Value>(&printed.out).unwrap()
    };
    let file = cluster.home.file("adder.yaml", AGENT);
    let ask = "What is 17% of 2,340? Use the calculator.";
    let done = client(&["run", "-f", &file, ask]);
    assert_eq!(done["status"], "completed", "{done}");
    assert!(done.to_string().contains("397.8"), "{done}");

    // A worker that stops hands over; another goes on.
    first.process.signal("TERM");
    let (code, log) = first.end();
    assert_eq!(code, 0, "{log}");
    let accepted = client(&["run", "--agent", "adder", "--no-wait", ask]);
    let metrics = || _api.get("/metrics").unwrap().1;
    assert!(metrics().contains("agenticai_tasks_ready 1"), "{}", metrics());
    let _second = cluster.ready(&["worker", "--concurrency", "3"]);
    let id = accepted["id"].as_str().unwrap().to_owned();
    cluster.home.wait_for("the end of the task", || client(&["task", "show", &id])["status"] == "completed");
    let list = client(&["task", "list"]);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "{list}");
}
