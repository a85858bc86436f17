//! What the database wrote to its log.

use std::time::Duration;

use tokio_postgres::NoTls;

use crate::servers::postgres::Postgres;

/// Processes of PostgreSQL report what they did at most once a second, so a reading waits this long.
const REPORTED: Duration = Duration::from_millis(1500);

/// Counters since the start of the server, of PostgreSQL 15 to 17.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wal {
    /// Flushes to disk.
    pub syncs: f64,
    /// Writes to the file.
    pub writes: f64,
    /// Bytes of records.
    pub bytes: f64,
    /// Transactions committed, in all databases.
    pub commits: f64,
}

impl Wal {
    /// Reads the counters once everything so far is in them.
    pub async fn read(postgres: &Postgres) -> anyhow::Result<Self> {
        tokio::time::sleep(REPORTED).await;
        let (client, connection) = tokio_postgres::connect(&postgres.url("postgres"), NoTls).await?;
        let connection = tokio::spawn(connection);
        let row = client
            .query_one(
                "SELECT wal_sync::float8, wal_write::float8, wal_bytes::float8,
                        (SELECT sum(xact_commit) FROM pg_stat_database)::float8 FROM pg_stat_wal",
                &[],
            )
            .await?;
        drop(client);
        let _ = connection.await;
        Ok(Self { syncs: row.get(0), writes: row.get(1), bytes: row.get(2), commits: row.get(3) })
    }

    /// What came since an earlier reading.
    pub fn since(self, before: Self) -> Self {
        Self {
            syncs: self.syncs - before.syncs,
            writes: self.writes - before.writes,
            bytes: self.bytes - before.bytes,
            commits: self.commits - before.commits,
        }
    }
}
