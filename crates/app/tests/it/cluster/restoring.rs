//! A database that was restored to an earlier point, seen by processes that live on and by those that start.

use std::path::Path;
use std::process::Command;

use agenticai_store::postgres::{Connection, PostgresOptions};
use agenticai_testkit::servers::postgres::{Options, Postgres};

use super::Cluster;
use super::work::{ASK, Client};

/// Copies a directory with its owners, in the place of what is there.
fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[tokio::test]
async fn a_database_that_is_set_back_gives_out_nothing_until_somebody_decides() {
    let server = Postgres::start(Options::default()).await.unwrap();
    let (data, snapshot) = (server.data().to_owned(), server.directory().join("snapshot"));
    let mut cluster = Cluster::empty().await;
    cluster.url = server.url("postgres");
    cluster.bootstrap();
    let (client, _api) = Client::start(&cluster, &[]);
    let accepted = client.json(&["run", "--agent", "adder", "--no-wait", ASK]);
    let id = accepted["id"].as_str().unwrap().to_owned();
    let show = || client.json(&["task", "show", &id]);
    server.process().kill_9().unwrap();
    copy(&data, &snapshot);
    server.restart().await.unwrap();

    let mut worker = cluster.ready(&["worker"]);
    cluster.home.wait_for("the end of the task", || show()["status"] == "completed");
    server.process().kill_9().unwrap();
    copy(&snapshot, &data);
    server.restart().await.unwrap();
    let (code, log) = worker.end();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("agenticai admin restored"), "{log}");

    let worker = cluster.start(&["worker"], &[]);
    cluster.home.wait_for("the reason", || {
        worker
            .get("/health/ready")
            .is_some_and(|(status, body)| status == 503 && body.contains("admin restored"))
    });
    assert_eq!(show()["status"], "pending");
    let copy = cluster.run(&["admin", "restored", "--complete"]);
    assert!(copy.code == 1 && copy.err.contains("not complete"), "{copy:?}");
    let declared = cluster.run(&["admin", "restored"]);
    assert!(declared.code == 0 && declared.out.contains("1 tasks are paused"), "{declared:?}");
    cluster.wait_ready(&worker);
    let paused = client.json(&["task", "list", "--paused"]);
    assert_eq!(paused["items"].as_array().map(Vec::len), Some(1), "{paused}");
    assert_eq!(show()["status"], "pending");
    assert!(show()["paused_at"].is_string());
    // What is created from now on is nobody's concern.
    client.run();

    let nobody = cluster.run(&["admin", "release", "--tenant", "nobody"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert_eq!(cluster.run(&["admin", "release"]).code, 2, "it must be said which");
    let released = cluster.run(&["admin", "release", "--all"]);
    assert!(released.code == 0 && released.out.contains("1 tasks go on"), "{released:?}");
    cluster.home.wait_for("the end of the task", || show()["status"] == "completed");
}

#[tokio::test]
async fn stuck_tasks_are_listed_and_counted() {
    let cluster = Cluster::bootstrapped().await;
    let (client, _api) = Client::start(&cluster, &[]);
    let accepted = client.json(&["run", "--agent", "adder", "--no-wait", ASK]);
    let id = accepted["id"].as_str().unwrap();
    let listed = |after: &str| cluster.run(&["admin", "stuck", "--after", after]).out;
    assert!(!listed("0").contains(id), "no worker lives");
    // A worker that takes only tasks that crash workers lives and takes none; a scheduler finds that out.
    let database = Connection::open(&PostgresOptions::new(&cluster.url)).await.unwrap();
    let worker =
        "INSERT INTO workers (id, name, reads_format, registered_at, beat_at) VALUES (1, 'idle', 1, 1, 1)";
    database.script(worker).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert!(listed("1").contains(id));
    assert!(!listed("600").contains(id));
    let bound =
        [("AGENTICAI_SCHEDULER_STUCK_AFTER_SECONDS", "1"), ("AGENTICAI_SCHEDULER_STUCK_CHECK_SECONDS", "1")];
    let scheduler = cluster.start(&["scheduler"], &bound);
    cluster.wait_ready(&scheduler);
    let shows = |count: &str| {
        let metrics = scheduler.get("/metrics").unwrap().1;
        metrics.contains(&format!("agenticai_tasks_stuck{{reason=\"unclaimed\"}} {count}"))
    };
    cluster.home.wait_for("the metric", || shows("1"));
    assert!(scheduler.log().contains(id), "{}", scheduler.log());
    database.script("DELETE FROM workers").await.unwrap();
    cluster.home.wait_for("the next look", || shows("0"));
}
