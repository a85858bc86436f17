//! A migration of large tables while tasks are submitted: how long submits take meanwhile.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agenticai_store::postgres::schema::{MIGRATIONS, Migration, Migrations, Patience};
use agenticai_store::postgres::{Connection, PostgresOptions};
use anyhow::Context as _;
use tokio::time::MissedTickBehavior;

use super::compare::{Cluster, ClusterOptions, System};
use super::growth::fill;
use super::throughput::job_body;
use crate::api::Api;
use crate::http::Http;
use crate::load::percentile;
use crate::stub::{Stub, StubConfig};

/// What is migrated, and beside which load.
#[derive(Debug, Clone)]
pub struct MigrationConfig {
    /// Rows of the journal; a tenth of it are tasks.
    pub rows: u64,
    /// Tasks submitted in a second, whatever becomes of those before.
    pub per_s: u32,
    /// How long submits are looked at before and after.
    pub quiet: Duration,
}

/// What releases do to tables, by the rules of the schema's module. Programs of this release go on meanwhile.
const STEPS: [Migration; 5] = [
    Migration {
        name: "columns, and a constraint that is not checked yet",
        sql: "-- min-reader: 1
              ALTER TABLE tasks ADD COLUMN note text, ADD COLUMN weight int NOT NULL DEFAULT 1;
              ALTER TABLE journal ADD COLUMN note text;
              ALTER TABLE tasks ADD CONSTRAINT heavy CHECK (weight > 0) NOT VALID;",
    },
    Migration {
        name: "an index of all tasks",
        sql: "-- no-transaction
              -- min-reader: 1
              CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_completed ON tasks (completed_at);",
    },
    Migration {
        name: "an index of the whole journal",
        sql: "-- no-transaction
              -- min-reader: 1
              CREATE INDEX IF NOT EXISTS journal_at ON ONLY journal (at);
              CREATE INDEX CONCURRENTLY IF NOT EXISTS {each:journal}_at ON {each:journal} (at);
              ALTER INDEX journal_at ATTACH PARTITION {each:journal}_at;",
    },
    Migration {
        name: "a value for every task, a thousand at a time",
        sql: "-- no-transaction
              -- min-reader: 1
              CREATE OR REPLACE PROCEDURE fill_notes() LANGUAGE plpgsql AS $$
              DECLARE
                  at bigint := 0;
                  last bigint;
              BEGIN
                  LOOP
                      SELECT max(num) INTO last FROM (SELECT num FROM tasks WHERE num > at ORDER BY num LIMIT 1000) t;
                      EXIT WHEN last IS NULL;
                      UPDATE tasks SET note = 'old' WHERE num > at AND num <= last AND note IS NULL;
                      COMMIT;
                      at := last;
                      PERFORM pg_sleep(0.01);
                  END LOOP;
              END $$;
              CALL fill_notes();
              DROP PROCEDURE IF EXISTS fill_notes;",
    },
    Migration {
        name: "the constraint checked",
        sql: "-- no-transaction
              -- min-reader: 1
              ALTER TABLE tasks VALIDATE CONSTRAINT heavy;",
    },
];

/// When each request was sent, how long it took, and whether it was accepted.
type Submits = Arc<Mutex<Vec<(Instant, Duration, bool)>>>;

/// Measures and prints; an error where a submit was refused.
pub async fn run(config: &MigrationConfig) -> anyhow::Result<()> {
    let stub = Stub::start(&StubConfig::default())?;
    let cluster = Cluster::start(&stub, ClusterOptions::default()).await?;
    let filling = Instant::now();
    fill(&cluster, 0, config.rows).await?;
    println!(
        "{} entries of {} tasks put in, {} s",
        config.rows,
        config.rows / 10,
        filling.elapsed().as_secs()
    );
    let submits = Submits::default();
    let load =
        tokio::spawn(submit(cluster.api().context("it has an API")?.clone(), config.per_s, submits.clone()));
    println!("\n| {} submits a second | s | submit p50, ms | p99, ms | longest, ms |", config.per_s);
    println!("| --- | --- | --- | --- | --- |");
    // Caches and connections are filled first.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let print = |what: &str, since: Instant| row(&submits, what, since);
    let began = Instant::now();
    tokio::time::sleep(config.quiet).await;
    let before = print("before", began);
    let connection = Connection::open(&PostgresOptions::new(cluster.database_url()))
        .await
        .map_err(|why| anyhow::anyhow!("{why}"))?;
    let (mut steps, migrating) = (MIGRATIONS.0.to_vec(), Instant::now());
    for step in STEPS {
        steps.push(step);
        let began = Instant::now();
        Migrations(&steps)
            .up(&connection, Patience::default())
            .await
            .map_err(|why| anyhow::anyhow!("{why}"))?;
        print(step.name, began);
    }
    let during = print("all of the migration", migrating);
    let began = Instant::now();
    tokio::time::sleep(config.quiet).await;
    print("after", began);
    load.abort();
    println!("\np99 while it was migrated: {:.1} times that before", during / before);
    let submits = submits.lock().map_err(|_| anyhow::anyhow!("a sender panicked"))?;
    let refused = submits.iter().filter(|(.., accepted)| !accepted).count();
    anyhow::ensure!(refused == 0, "{refused} of {} submits were refused", submits.len());
    Ok(())
}

/// Sends at its pace, without waiting for answers: who waits for a lock holds up nobody else's measure.
async fn submit(api: Api, per_s: u32, submits: Submits) {
    let http = Http::default();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_s);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in 0_u64.. {
        // When it was to be sent counts, not when it was.
        let began = ticks.tick().await.into_std();
        let (http, submits) = (http.clone(), submits.clone());
        let (url, headers) = (format!("{}/api/v1/tasks", api.url()), api.headers().to_vec());
        let body = job_body().replace("{i}", &n.to_string());
        tokio::spawn(async move {
            let answer = http.send("POST", &url, &headers, body).await;
            let accepted = answer.is_ok_and(|answer| answer.status.is_success());
            if let Ok(mut submits) = submits.lock() {
                submits.push((began, began.elapsed(), accepted));
            }
        });
    }
}

/// Prints a row of what was sent since then, and answers the p99 in milliseconds.
fn row(submits: &Submits, what: &str, since: Instant) -> f64 {
    let mut times: Vec<f64> = submits
        .lock()
        .map(|submits| {
            let these = submits.iter().filter(|(began, ..)| *began >= since);
            these.map(|(_, took, _)| took.as_secs_f64() * 1e3).collect()
        })
        .unwrap_or_default();
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
    let longest = times.last().copied().unwrap_or(0.0);
    println!("| {what} | {:.1} | {p50:.1} | {p99:.1} | {longest:.1} |", since.elapsed().as_secs_f64());
    p99
}
