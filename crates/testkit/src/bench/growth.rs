//! How a cluster grows: with more workers, with more rows, and how many bytes a step takes.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::NoTls;

use super::compare::machine::Machine;
use super::compare::wal::Wal;
use super::compare::{Cluster, ClusterOptions, Kind, System, measure_throughput};
use super::steps;
use super::throughput::W2_STEPS;
use crate::load::median;
use crate::stub::{Stub, StubConfig};

/// Bytes of an entry that stands in for others: about what a model's answer takes.
const ENTRY_BYTES: u64 = 400;
/// Entries of each task that stands in for others.
const ENTRIES: u64 = 10;
/// Rows of one statement.
const CHUNK: u64 = 500_000;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct GrowthConfig {
    /// Runs of each, of which the median is printed.
    pub runs: usize,
    /// Numbers of worker processes.
    pub workers: Vec<usize>,
    /// Numbers of rows in the journal, growing.
    pub rows: Vec<u64>,
    /// Tasks of W2.
    pub n2: u64,
    /// The longest wait for a quiet machine.
    pub quiet: Duration,
}

/// Measures everything and prints it as it comes, in Markdown.
pub async fn run(config: &GrowthConfig) -> anyhow::Result<()> {
    let machine = Machine::start(config.quiet).await?;
    println!("{}", machine.describe());
    println!(
        "\n| workers | W2 steps/s | submit p99, ms | pgbench, 16 clients/s |\n| --- | --- | --- | --- |"
    );
    for workers in &config.workers {
        let (mut steps, mut p99, mut pgbench) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..config.runs {
            pgbench.push(machine.conditions().await?.pgbench_per_s);
            let stub = Stub::start(&StubConfig::default())?;
            let options = ClusterOptions { workers: *workers, ..ClusterOptions::default() };
            let cluster = Cluster::start(&stub, options).await?;
            let values =
                measure_throughput(&cluster, Kind::Agent, config.n2, Duration::from_secs(600)).await?;
            steps.extend(values.get("steps_per_s"));
            p99.extend(values.get("submit_p99_ms"));
        }
        println!("| {workers} | {:.0} | {:.1} | {:.0} |", median(steps), median(p99), median(pgbench));
    }
    bytes(config).await?;
    rows(config, &machine).await
}

/// What a step takes on disk.
async fn bytes(config: &GrowthConfig) -> anyhow::Result<()> {
    let stub = Stub::start(&StubConfig::default())?;
    let cluster = Cluster::start(&stub, ClusterOptions::default()).await?;
    let (heap, index) = sizes(&cluster).await?;
    let wal = match cluster.database() {
        Some(postgres) => Wal::read(postgres).await?,
        None => Wal::default(),
    };
    measure_throughput(&cluster, Kind::Agent, config.n2, Duration::from_secs(600)).await?;
    let (heap_after, index_after) = sizes(&cluster).await?;
    let wal = match cluster.database() {
        Some(postgres) => Wal::read(postgres).await?.since(wal),
        None => Wal::default(),
    };
    let steps = config.n2 as f64 * W2_STEPS;
    println!("\n| bytes per step of W2 | |\n| --- | --- |");
    for (what, bytes) in [("heap", heap_after - heap), ("index", index_after - index), ("WAL", wal.bytes)] {
        println!("| {what} | {:.0} |", bytes / steps);
    }
    Ok(())
}

/// Bytes of all tables and of all indexes.
async fn sizes(cluster: &Cluster) -> anyhow::Result<(f64, f64)> {
    let row = query(
        cluster,
        "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::float8, coalesce(sum(pg_indexes_size(c.oid)), 0)::float8
         FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
    )
    .await?;
    Ok((row.get(0), row.get(1)))
}

async fn query(cluster: &Cluster, sql: &str) -> anyhow::Result<tokio_postgres::Row> {
    let (client, connection) = tokio_postgres::connect(cluster.database_url(), NoTls).await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one(sql, &[]).await?;
    drop(client);
    let _ = connection.await;
    Ok(row)
}

/// What the platform adds to a step as the journal grows.
async fn rows(config: &GrowthConfig, machine: &Machine) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("stub.log");
    let stub = steps::stub(0, &log)?;
    let cluster = Cluster::start(&stub, ClusterOptions::default()).await?;
    println!("\n| rows of the journal | added per step, ms | pgbench, 16 clients/s |\n| --- | --- | --- |");
    let mut there = 0;
    for rows in &config.rows {
        fill(&cluster, there, *rows).await?;
        there = there.max(*rows);
        let pgbench = machine.conditions().await?.pgbench_per_s;
        println!("| {rows} | {:.2} | {pgbench:.0} |", added(config, &cluster, &stub, &log).await?);
    }
    Ok(())
}

async fn added(config: &GrowthConfig, cluster: &Cluster, stub: &Stub, log: &Path) -> anyhow::Result<f64> {
    let Some(api) = cluster.api() else { return Ok(0.0) };
    let mut added = Vec::new();
    for _ in 0..config.runs {
        added.push(steps::added_ms(api, stub, log).await?);
    }
    Ok(median(added))
}

/// Puts in completed tasks and their entries until there are `to` of these; `from` are there.
pub(super) async fn fill(cluster: &Cluster, from: u64, to: u64) -> anyhow::Result<()> {
    let mut at = from;
    while at < to {
        let end = (at + CHUNK).min(to);
        // The numbers of these tasks lie far above those that the sequence will give.
        query(
            cluster,
            &format!(
                "WITH place AS (
                     SELECT a.num AS agent, a.tenant, bucket_of(clock_ms(0), n.retention_days) AS bucket, clock_ms(0) AS at
                     FROM agents a JOIN tenants n ON n.num = a.tenant ORDER BY a.num LIMIT 1
                 ), made AS (
                     INSERT INTO tasks (num, id, bucket, tenant, agent, agent_version, priority, depth, format, status,
                                        created_at, started_at, completed_at, last_seq, input, outcome)
                     OVERRIDING SYSTEM VALUE
                     SELECT 1000000000 + g, gen_random_uuid(), p.bucket, p.tenant, p.agent, 1, 5, 0, 1, 3,
                            p.at, p.at, p.at, {ENTRIES}, ''::bytea, ''::bytea
                     FROM place p, generate_series({at} / {ENTRIES}, {end} / {ENTRIES} - 1) AS g
                 ), written AS (
                     INSERT INTO journal (task, seq, run, at, tenant, bucket, epoch, entry)
                     SELECT 1000000000 + g / {ENTRIES}, g % {ENTRIES} + 1, 1, p.at, p.tenant, p.bucket, 1,
                            decode(repeat(md5(g::text), {ENTRY_BYTES} / 16), 'hex')
                     FROM place p, generate_series({at}::bigint, {end}::bigint - 1) AS g
                     RETURNING 1
                 )
                 SELECT count(*) FROM written"
            ),
        )
        .await?;
        at = end;
    }
    if from < to {
        let maintenance = "VACUUM (ANALYZE) journal, tasks";
        let (client, connection) = tokio_postgres::connect(cluster.database_url(), NoTls).await?;
        let connection = tokio::spawn(connection);
        client.batch_execute(maintenance).await?;
        client.batch_execute("CHECKPOINT").await?;
        drop(client);
        let _ = connection.await;
    }
    Ok(())
}
