//! Two releases at once: an older program beside what a newer one has left.

use agenticai_domain::journal::READS_FORMAT;
use agenticai_store::postgres::{Connection, PostgresOptions};

use super::work::{ASK, Client};
use super::{Cluster, Running};

/// A format that only a newer program reads.
const NEWER: u8 = READS_FORMAT + 1;

impl Cluster {
    /// Does to the database what a newer program would do.
    async fn perform(&self, sql: &str) {
        Connection::open(&PostgresOptions::new(&self.url)).await.unwrap().script(sql).await.unwrap();
    }

    /// Waits until a role says why it is not ready.
    fn wait_unready(&self, running: &Running, why: &str) {
        self.home.wait_for("the reason", || {
            running.get("/health/ready").is_some_and(|(status, body)| status == 503 && body.contains(why))
        });
        assert_eq!(running.get("/health/live").unwrap().0, 200);
    }
}

#[tokio::test]
async fn a_program_that_cannot_read_what_is_written_stays_unready() {
    let cluster = Cluster::bootstrapped().await;
    cluster.perform(&format!("UPDATE write_epoch SET write_format = {NEWER}")).await;
    let roles = ["api", "worker", "scheduler"].map(|role| cluster.start(&[role], &[]));
    for running in &roles {
        cluster.wait_unready(running, &format!("format {NEWER}"));
        assert!(running.log().contains("use a newer program"), "{}", running.log());
    }
    let doctor = cluster.run(&["doctor"]);
    assert!(doctor.out.contains("use a newer program"), "{doctor:?}");
    cluster.perform(&format!("UPDATE write_epoch SET write_format = {READS_FORMAT}")).await;
    roles.iter().for_each(|running| cluster.wait_ready(running));
}

#[tokio::test]
async fn an_older_program_serves_on_a_newer_schema_that_allows_it() {
    let cluster = Cluster::bootstrapped().await;
    let known = "(SELECT max(version) FROM schema_migrations)";
    cluster
        .perform(&format!(
            "INSERT INTO schema_migrations (version, name, sha256, min_reader, finished_at)
             SELECT {known} + 1, 'of_a_newer_program', '', {known}, now()"
        ))
        .await;
    let (client, _api) = Client::start(&cluster, &[]);
    let _worker = cluster.ready(&["worker"]);
    client.run();
    // Going back one release asks nothing of the schema.
    assert!(cluster.run(&["migrate", "up"]).out.contains("up to date"));
    cluster
        .perform("UPDATE schema_migrations SET min_reader = version WHERE name = 'of_a_newer_program'")
        .await;
    let refused = cluster.start(&["worker"], &[]);
    cluster.wait_unready(&refused, "of_a_newer_program");
}

#[tokio::test]
async fn an_old_worker_leaves_a_new_task_to_a_new_one() {
    let cluster = Cluster::bootstrapped().await;
    let (client, _api) = Client::start(&cluster, &[]);
    let accepted = client.json(&["run", "--agent", "adder", "--no-wait", ASK]);
    let id = accepted["id"].as_str().unwrap().to_owned();
    cluster.perform(&format!("UPDATE ready SET format = {NEWER}")).await;
    let _worker = cluster.ready(&["worker"]);
    client.run();
    assert_eq!(client.json(&["task", "show", &id])["status"], "pending");
    // A worker of the newer release is one that says so of itself.
    cluster.perform(&format!("UPDATE workers SET reads_format = {NEWER} WHERE state = 0")).await;
    let status = || client.json(&["task", "show", &id])["status"].clone();
    cluster.home.wait_for("the end of the task", || status() == "completed");
}
