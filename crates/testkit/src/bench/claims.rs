//! Claims from a long queue while a snapshot is held open: dead rows stay, and every claim must find its way past them.

use std::time::{Duration, Instant};

use agenticai_domain::journal::WRITES_FORMAT;
use agenticai_store::postgres::{PostgresOptions, PostgresStore};
use agenticai_store::{Leases, WorkerInfo};
use anyhow::Context as _;
use tokio_postgres::NoTls;

use super::compare::{Cluster, ClusterOptions, System};
use super::throughput::job_body;
use crate::load::percentile;
use crate::stub::{Stub, StubConfig};

/// How much is claimed.
#[derive(Debug, Clone)]
pub struct ClaimsConfig {
    /// Tasks in the queue.
    pub pending: u64,
    /// Those of them that are claimed.
    pub claimed: u64,
    /// Tasks of one claim.
    pub batch: u32,
    /// How long the claims are stretched, and with them the age of the snapshot.
    pub snapshot: Duration,
}

/// Measures and prints ten rows of a table, one for each tenth of what is claimed.
pub async fn run(config: &ClaimsConfig) -> anyhow::Result<()> {
    let stub = Stub::start(&StubConfig::default())?;
    let cluster =
        Cluster::start(&stub, ClusterOptions { alone: true, workers: 0, ..ClusterOptions::default() })
            .await?;
    let (client, connection) = tokio_postgres::connect(cluster.database_url(), NoTls).await?;
    let connection = tokio::spawn(connection);
    // One as the API makes them, whose payload the others copy.
    let api = cluster.api().context("it has an API")?;
    api.call::<serde_json::Value>("POST", "/api/v1/tasks", &[], Some(serde_json::from_str(&job_body())?))
        .await?;
    fill(&client, config.pending).await?;
    let store = PostgresStore::connect(PostgresOptions::new(cluster.database_url()))
        .await
        .map_err(|why| anyhow::anyhow!("{why}"))?;
    let info = WorkerInfo { name: "claims".to_owned(), reads_format: WRITES_FORMAT };
    let worker = store.register_worker(info).await?;
    // A query that has begun and not ended, as of a report or a backup.
    client
        .batch_execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE old CURSOR FOR SELECT num FROM tasks; FETCH 1 FROM old",
        )
        .await?;
    let claims = config.claimed.div_ceil(u64::from(config.batch)).max(1);
    let pace = config.snapshot / u32::try_from(claims).unwrap_or(u32::MAX);
    let (began, mut times, mut taken) = (Instant::now(), Vec::new(), 0);
    println!(
        "| claimed under the snapshot | its age, s | claim of {}, p50 ms | p99 ms | longest ms |",
        config.batch
    );
    println!("| --- | --- | --- | --- | --- |");
    for n in 1..=claims {
        let claim = Instant::now();
        taken += store.claim(worker, config.batch.into()).await?.len();
        times.push(claim.elapsed().as_secs_f64() * 1e3);
        if n % claims.div_ceil(10) == 0 || n == claims {
            times.sort_by(f64::total_cmp);
            let longest = times.last().copied().unwrap_or(0.0);
            println!(
                "| {taken} | {:.0} | {:.2} | {:.2} | {longest:.2} |",
                began.elapsed().as_secs_f64(),
                percentile(&times, 0.5),
                percentile(&times, 0.99)
            );
            times.clear();
        }
        tokio::time::sleep(pace.saturating_sub(claim.elapsed())).await;
    }
    anyhow::ensure!(taken as u64 >= config.claimed, "only {taken} of {} could be claimed", config.claimed);
    client.batch_execute("COMMIT").await?;
    drop((store, client));
    connection.await.context("the connection's task panicked")??;
    Ok(())
}

/// Puts in copies of the first task that are ready, a thousand in each millisecond, as their creation would.
pub(super) async fn fill(client: &tokio_postgres::Client, pending: u64) -> anyhow::Result<()> {
    let sql = format!(
        "WITH place AS (
             SELECT agent, tenant, bucket, clock_ms(0) - {pending} / 1000 AS at, input FROM tasks ORDER BY num LIMIT 1
         ), made AS (
             INSERT INTO tasks (id, bucket, tenant, agent, agent_version, priority, depth, format, created_at, input)
             SELECT gen_random_uuid(), p.bucket, p.tenant, p.agent, 1, 5, 0, 1, p.at + g / 1000, p.input
             FROM place p, generate_series(1, {pending}) AS g
             RETURNING num, tenant, priority, format, created_at
         )
         INSERT INTO ready (task, tenant, priority, format, epoch, ready_at)
         SELECT num, tenant, priority, format, 0, created_at FROM made ORDER BY num"
    );
    client.batch_execute(&sql).await?;
    // Each by itself: several statements together would be one transaction.
    client.batch_execute("VACUUM (ANALYZE) tasks, ready").await?;
    Ok(client.batch_execute("CHECKPOINT").await?)
}
