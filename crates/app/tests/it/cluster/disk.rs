//! A database whose disk is full.

use std::time::Duration;

use agenticai_testkit::servers::postgres::{Options, Postgres};

use super::Cluster;
use super::work::{ASK, Client};
use crate::home::Printed;

/// What is accepted is done, what is refused says so, and work goes on when there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() {
    let options = Options { disk_mib: Some(160), ..Options::default() };
    let server = Postgres::start(options).await.unwrap();
    let mut cluster = Cluster::empty().await;
    cluster.url = server.url("postgres");
    cluster.bootstrap();
    let (client, api) = Client::start(&cluster, &[]);
    let worker = cluster.ready(&["worker"]);
    client.run();

    server.fill_disk().unwrap();
    // Inputs that no compression makes smaller, just below the size of payloads that lie apart.
    let noise: String = (0..1_500).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    let mut accepted = Vec::new();
    let refused: Printed = loop {
        let printed = client.try_run(&["run", "--agent", "adder", "--no-wait", &format!("{ASK} {noise}")]);
        if printed.code != 0 {
            break printed;
        }
        let task: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
        accepted.push(task["id"].as_str().unwrap().to_owned());
        assert!(accepted.len() < 2_000, "the disk does not get full");
    };
    assert!(refused.err.contains("database did not answer"), "{refused:?}");
    for running in [&api, &worker] {
        assert_eq!(running.get("/health/live").unwrap().0, 200);
    }

    server.free_disk().unwrap();
    // Without room for its log the server itself stops, which is for whoever runs it to start again.
    tokio::time::sleep(Duration::from_secs(2)).await;
    if server.execute("SELECT 1").await.is_err() {
        server.process().kill_9().unwrap();
        server.restart().await.unwrap();
    }
    cluster.wait_ready(&api);
    for id in &accepted {
        cluster.home.wait_for("the end of an accepted task", || {
            client.json(&["task", "show", id])["status"] == "completed"
        });
    }
    client.run();
}
