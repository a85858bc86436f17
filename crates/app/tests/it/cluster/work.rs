//! Tasks through `api` and `worker`, on PostgreSQL alone.

use agenticai_testkit::servers::pgbouncer::PgBouncer;
use agenticai_testkit::servers::postgres::{self, Options, Postgres};
use serde_json::Value;

use super::{Cluster, Running};
use crate::home::{Printed, free_port};

const AGENT: &str = "name: adder\nmodel: {name: practice}\ninstructions: Calculate.\ntools: [calculator]\n";

pub const ASK: &str = "What is 17% of 2,340? Use the calculator.";

/// The command line against an API.
pub struct Client<'a> {
    cluster: &'a Cluster,
    url: String,
}

impl<'a> Client<'a> {
    /// Starts an API and stores an agent.
    pub fn start(cluster: &'a Cluster, environment: &[(&str, &str)]) -> (Self, Running) {
        let port = free_port();
        let api = cluster.start(&["api", "--port", &port.to_string()], environment);
        cluster.wait_ready(&api);
        let client = Self { cluster, url: format!("http://127.0.0.1:{port}") };
        let file = cluster.home.file("adder.yaml", AGENT);
        client.json(&["agent", "apply", "-f", &file]);
        (client, api)
    }

    /// Runs a command to its end, however that is.
    pub fn try_run(&self, args: &[&str]) -> Printed {
        let key = self.cluster.key_file();
        let mut all = args.to_vec();
        all.extend(["--url", &self.url, "--api-key-file", &key, "--json"]);
        self.cluster.run(&all)
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let printed = self.try_run(args);
        assert_eq!(printed.code, 0, "{args:?}: {printed:?}");
        serde_json::from_str(&printed.out).unwrap()
    }

    pub fn run(&self) {
        let done = self.json(&["run", "--agent", "adder", ASK]);
        assert_eq!(done["status"], "completed", "{done}");
        assert!(done.to_string().contains("397.8"), "{done}");
    }
}

#[tokio::test]
async fn a_task_is_accepted_by_one_process_and_done_by_another() {
    let cluster = Cluster::bootstrapped().await;
    let (client, api) = Client::start(&cluster, &[]);
    let mut first = cluster.ready(&["worker"]);
    let _scheduler = cluster.ready(&["scheduler"]);
    client.run();

    // A worker that stops hands over; another goes on.
    first.process.signal("TERM");
    let (code, log) = first.end();
    assert_eq!(code, 0, "{log}");
    let accepted = client.json(&["run", "--agent", "adder", "--no-wait", ASK]);
    let metrics = || api.get("/metrics").unwrap().1;
    assert!(metrics().contains("agenticai_tasks_ready{priority=\"5\"} 1"), "{}", metrics());
    let _second = cluster.ready(&["worker", "--concurrency", "3"]);
    let id = accepted["id"].as_str().unwrap().to_owned();
    let status = || client.json(&["task", "show", &id])["status"].clone();
    cluster.home.wait_for("the end of the task", || status() == "completed");
    let list = client.json(&["task", "list"]);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "{list}");
}

#[tokio::test]
async fn processes_outlive_a_database_that_is_killed() {
    let server = Postgres::start(Options::default()).await.unwrap();
    let mut cluster = Cluster::empty().await;
    cluster.url = server.url("postgres");
    cluster.bootstrap();
    let (client, api) = Client::start(&cluster, &[]);
    let mut worker = cluster.ready(&["worker"]);
    client.run();
    server.process().kill_9().unwrap();
    for running in [&api, &worker] {
        cluster.home.wait_for("unreadiness", || {
            running
                .get("/health/ready")
                .is_some_and(|(status, body)| status == 503 && body.contains("database"))
        });
        assert_eq!(running.get("/health/live").unwrap().0, 200);
    }
    server.restart().await.unwrap();
    cluster.wait_ready(&api);
    cluster.wait_ready(&worker);
    client.run();
    worker.process.signal("TERM");
    let (code, log) = worker.end();
    assert_eq!(code, 0, "{log}");
}

#[tokio::test]
async fn a_killed_worker_is_noticed_by_its_connection() {
    let cluster = Cluster::bootstrapped().await;
    let lease = [("AGENTICAI_WORKER_LEASE_TTL_SECONDS", "300")];
    let mut first = cluster.start(&["worker"], &lease);
    cluster.wait_ready(&first);
    let frozen = cluster.start(&["worker"], &lease);
    cluster.wait_ready(&frozen);
    frozen.process.signal("STOP");
    first.process.kill();
    // It has never seen the others alive.
    let second = cluster.start(&["worker"], &lease);
    let deaths = || second.log().matches("a worker is dead").count();
    cluster.home.wait_for("its death", || deaths() > 0);
    assert!(second.log().contains("session_ended=true"), "{}", second.log());
    assert_eq!(deaths(), 1, "the frozen one has its connection and its lease: {}", second.log());
    frozen.process.signal("CONT");
}

#[tokio::test]
async fn roles_work_through_a_pooler_that_shares_connections() {
    let database = postgres::database().await.unwrap();
    let pooler = PgBouncer::start(postgres::shared().await.unwrap(), 4).await.unwrap();
    let mut cluster = Cluster::empty().await;
    cluster.url = database.url;
    cluster.bootstrap();
    cluster.url = pooler.url(&database.name);
    let unnamed = [("AGENTICAI_DATABASE_UNNAMED_STATEMENTS", "true")];
    let (client, _api) = Client::start(&cluster, &unnamed);
    let worker = cluster.start(&["worker"], &unnamed);
    cluster.wait_ready(&worker);
    client.run();
    client.run();
}

#[tokio::test]
async fn two_schedulers_fire_each_occurrence_once_also_when_one_is_killed() {
    let cluster = Cluster::bootstrapped().await;
    let (client, _api) = Client::start(&cluster, &[]);
    let _worker = cluster.ready(&["worker"]);
    let mut first = cluster.ready(&["scheduler"]);
    let _second = cluster.ready(&["scheduler"]);
    let create = ["schedule", "create", "often", "--cron", "* * * * * *", "--agent", "adder", ASK];
    client.json(&[&create[..], &["--overlap", "queue", "--catch-up", "all"]].concat());
    let firings = || {
        let shown = client.json(&["schedule", "show", "often", "--firings", "1000"]);
        shown["firings"].as_array().unwrap().clone()
    };
    cluster.home.wait_for("firings", || firings().len() >= 3);
    first.process.kill();
    let seen = firings().len();
    cluster.home.wait_for("firings without the first scheduler", || firings().len() >= seen + 3);
    client.json(&["schedule", "pause", "often"]);
    let fired = firings();
    let second =
        |firing: &Value| firing["due_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let due: Vec<i64> = fired.iter().rev().map(second).collect();
    assert!(due.windows(2).all(|pair| pair[1] == pair[0] + 1), "each once, without a hole: {due:?}");
    let created = fired.iter().filter(|firing| firing["state"] == "created").count();
    let list = client.json(&["task", "list", "--limit", "1000"]);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(created), "{list}");
}
