//! `migrate` from the command line.

use super::Cluster;

#[tokio::test]
async fn three_processes_migrate_at_once() {
    let cluster = Cluster::empty().await;
    let before = cluster.run(&["migrate", "status"]);
    assert_eq!(before.code, 1, "{before:?}");
    assert!(before.out.contains("0001_tables") && before.out.contains("pending"), "{before:?}");
    let plan = cluster.run(&["migrate", "plan"]);
    assert!(plan.out.contains("CREATE TABLE tenants") && plan.out.contains("no lock on a table"), "{plan:?}");

    let started: Vec<_> =
        (0..3).map(|_| cluster.command(&["migrate", "up", "--json"]).spawn().unwrap()).collect();
    let mut applied = Vec::new();
    for child in started {
        let output = child.wait_with_output().unwrap();
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{out}{err}");
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        applied.push(document["applied"].as_array().unwrap().len());
    }
    applied.sort();
    assert_eq!(applied[..2], [0, 0], "each step was applied once, by one process: {applied:?}");
    assert!(applied[2] > 0);
    let after = cluster.run(&["migrate", "status"]);
    assert_eq!(after.code, 0, "{after:?}");
    assert!(cluster.run(&["migrate", "up"]).out.contains("up to date"));
    assert_eq!(cluster.run(&["migrate", "contract"]).code, 0);
}

#[tokio::test]
async fn migrations_have_an_address_of_their_own() {
    let mut cluster = Cluster::empty().await;
    let real = std::mem::replace(&mut cluster.url, "postgres://u:planted@127.0.0.1:1/d".to_owned());
    let mut command = cluster.command(&["migrate", "up"]);
    let output = command.env("DATABASE_MIGRATE_URL", real).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = cluster.run(&["config", "show"]);
    assert!(shown.out.contains("127.0.0.1:1/d") && !shown.out.contains("planted"), "{shown:?}");
}
