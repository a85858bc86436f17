//! The first tenant, and more of them.

use std::os::unix::fs::PermissionsExt;

use agenticai_store::postgres::{Connection, PostgresOptions};

use super::Cluster;
use crate::home::Printed;

#[tokio::test]
async fn bootstrap_makes_the_first_tenant_once() {
    let cluster = Cluster::migrated().await;
    let unread = cluster.run(&["admin", "bootstrap"]);
    assert_eq!(unread.code, 2, "{unread:?}");
    assert!(unread.err.contains("--key-file") && !unread.out.contains("ak_"), "{unread:?}");

    let file = cluster.key_file();
    let first =
        cluster.run(&["admin", "bootstrap", "--key-file", &file, "--tenant", "acme", "--user", "ada"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.out.contains("acme") && !first.out.contains("ak_"), "{first:?}");
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(key.starts_with("ak_"), "{key}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let other = cluster.home.path().join("other.key");
    for again in [&file, other.to_str().unwrap()] {
        let printed = cluster.run(&["admin", "bootstrap", "--key-file", again]);
        assert_eq!(printed.code, 7, "{printed:?}");
        assert!(printed.err.contains("admin tenant create"), "{printed:?}");
    }
    assert!(!other.exists(), "a key that opens nothing was left");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key, "the owner's key was lost");
}

#[tokio::test]
async fn a_bootstrap_that_was_killed_half_way_is_run_again() {
    let cluster = Cluster::migrated().await;
    // What is left by a process that dies between writing the key and storing its hash.
    std::fs::write(cluster.key_file(), "ak_left_behind\n").unwrap();
    let printed = cluster.run(&["admin", "bootstrap", "--key-file", &cluster.key_file()]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert_eq!(std::fs::read_to_string(cluster.key_file()).unwrap(), "ak_left_behind\n");
}

#[tokio::test]
async fn of_several_bootstraps_at_once_one_succeeds() {
    let cluster = Cluster::migrated().await;
    let files: Vec<String> =
        (0..4).map(|n| cluster.home.path().join(format!("{n}.key")).to_str().unwrap().to_owned()).collect();
    let started: Vec<_> = files
        .iter()
        .map(|file| {
            let mut command = cluster.command(&["admin", "bootstrap", "--key-file", file]);
            command.stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended: Vec<_> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let mut codes: Vec<i32> = ended.iter().map(|output| output.status.code().unwrap()).collect();
    codes.sort();
    assert_eq!(codes, [0, 7, 7, 7], "{ended:?}");
    assert_eq!(files.iter().filter(|file| std::path::Path::new(file).exists()).count(), 1);
}

#[tokio::test]
async fn more_tenants_have_names_of_their_own() {
    let cluster = Cluster::bootstrapped().await;
    let file = cluster.home.path().join("more.key").to_str().unwrap().to_owned();
    let create =
        |name: &str, file: &str| cluster.run(&["admin", "tenant", "create", name, "--key-file", file]);
    assert_eq!(create("more", &file).code, 0);
    let taken = create("more", &format!("{file}2"));
    assert_eq!(taken.code, 7, "{taken:?}");
    assert!(taken.err.contains("`more`"), "{taken:?}");
}

#[tokio::test]
async fn new_tenants_have_the_retention_of_the_settings_and_get_their_partitions() {
    let cluster = Cluster::migrated().await;
    let make = |args: &[&str], key: &str, days: &str| {
        let mut command = cluster.command(args);
        let file = cluster.home.path().join(key);
        command.arg("--key-file").arg(file).env("AGENTICAI_CLUSTER_RETENTION_DAYS", days);
        let printed = Printed::of(command.output().unwrap());
        assert_eq!(printed.code, 0, "{printed:?}");
    };
    make(&["admin", "bootstrap"], "first.key", "7");
    let scheduler = cluster.start(&["scheduler"], &[("AGENTICAI_SCHEDULER_RETENTION_CHECK_SECONDS", "1")]);
    let rounds = |count| {
        cluster
            .home
            .wait_for("partitions", || scheduler.log().matches("housekeeping made=").count() == count);
    };
    rounds(1);
    make(&["admin", "tenant", "create", "second"], "second.key", "8");
    rounds(2);
    let database = Connection::open(&PostgresOptions::new(&cluster.url)).await.unwrap();
    let rows = database.rows("SELECT retention_days FROM tenants ORDER BY num", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [7, 8]);
}

#[tokio::test]
async fn a_database_without_tables_is_said_to_need_them() {
    let cluster = Cluster::empty().await;
    let printed = cluster.run(&["admin", "bootstrap", "--key-file", &cluster.key_file()]);
    assert_eq!(printed.code, 1, "{printed:?}");
    assert!(printed.err.contains("agenticai migrate up"), "{printed:?}");
    let doctor = cluster.run(&["doctor"]);
    assert!(doctor.out.contains("agenticai migrate up"), "{doctor:?}");
}
