//! Applying migrations, from any number of processes at once.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::{Migration, Migrations, State, changed, newer, statements};
use crate::postgres::{ConnectError, Connection};

/// The advisory lock of whoever migrates: one per database, held by the session, gone with it.
const MIGRATING: i64 = 0x6167_656e_7469_6369;

/// The table of what was applied. It is the only one that the runner itself makes.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version      int PRIMARY KEY,
    name         text NOT NULL,
    sha256       bytea NOT NULL,
    min_reader   int NOT NULL,
    applied_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz
)";

/// How long what is in the way is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For another process that migrates.
    pub others: Duration,
    /// For tables that are in use: each try waits a second at most, since whoever comes later waits behind it.
    pub locks: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { others: Duration::from_secs(1800), locks: Duration::from_secs(300) }
    }
}

/// A step that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: i32,
    /// The name of its file.
    pub name: String,
    /// How long it took.
    pub took: Duration,
}

impl Migrations<'_> {
    /// Applies what is pending and answers it. Of several processes one does the work; the others wait for it and find
    /// nothing left. Needs a connection that goes to the server directly: a pooler that shares connections between
    /// transactions loses the lock.
    ///
    /// A step that fails is not kept, or, where it is no transaction, can be run again; the ones before it stay.
    pub async fn up(
        &self,
        connection: &Connection,
        patience: Patience,
    ) -> Result<Vec<Applied>, ConnectError> {
        if connection.is_shared() {
            return Err(ConnectError::Schema(
                "migrations need a connection of their own, and this one goes through a pooler: set DATABASE_MIGRATE_URL \
                 to the server's own address"
                    .to_owned(),
            ));
        }
        lock(connection, patience.others).await?;
        let applied = self.apply_pending(connection, patience.locks).await;
        // Where this fails, the end of the connection unlocks.
        let _ = connection.script(&format!("SELECT pg_advisory_unlock({MIGRATING})")).await;
        applied
    }

    async fn apply_pending(
        &self,
        connection: &Connection,
        patience: Duration,
    ) -> Result<Vec<Applied>, ConnectError> {
        // Where the table is there already, nothing is locked and no right to create is needed.
        let mut statuses = self.status(connection).await?;
        if statuses.iter().all(|status| status.state == State::Pending) {
            connection.script(TABLE).await?;
            statuses = self.status(connection).await?;
        }
        for status in &statuses {
            match status.state {
                State::Changed => return Err(ConnectError::Schema(changed(&status.name))),
                State::NewerIncompatible => return Err(ConnectError::Schema(newer(&status.name))),
                _ => {}
            }
        }
        connection.script("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0").await?;
        let mut applied = Vec::new();
        for (version, migration) in self.numbered() {
            let open = statuses.iter().any(|status| {
                status.version == version && matches!(status.state, State::Pending | State::Unfinished)
            });
            if !open {
                continue;
            }
            let began = Instant::now();
            tracing::info!(migration = migration.name, "applying a migration");
            if migration.in_transaction() {
                apply_whole(connection, version, migration, patience).await?;
            } else {
                apply_piecemeal(connection, version, migration, patience).await?;
            }
            let took = began.elapsed();
            tracing::info!(migration = migration.name, took_ms = took.as_millis(), "applied");
            applied.push(Applied { version, name: migration.name.to_owned(), took });
        }
        Ok(applied)
    }
}

/// Takes the lock, by asking again and again: a session that waits for it inside of a statement would itself be waited
/// for by a `CREATE INDEX CONCURRENTLY` of the one that holds it.
async fn lock(connection: &Connection, patience: Duration) -> Result<(), ConnectError> {
    let began = Instant::now();
    let mut told = false;
    loop {
        let rows = connection.rows("SELECT pg_try_advisory_lock($1)", &[(&MIGRATING, Type::INT8)]).await?;
        if rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
            return Ok(());
        }
        if began.elapsed() > patience {
            return Err(ConnectError::Schema(format!(
                "another process has been migrating for more than {} s: wait for it, or end it and run this again",
                patience.as_secs()
            )));
        }
        if !told {
            tracing::info!("another process migrates; waiting for it");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// One transaction, tried again while tables are in use.
async fn apply_whole(
    connection: &Connection,
    version: i32,
    migration: &Migration,
    patience: Duration,
) -> Result<(), ConnectError> {
    let began = Instant::now();
    while let Err(error) = transaction(connection, version, migration).await {
        // Where this fails too, the connection has ended, and the transaction with it.
        let _ = connection.script("ROLLBACK").await;
        wait_if_in_use(error, migration, "nothing of it was kept", began, patience).await?;
    }
    Ok(())
}

async fn transaction(
    connection: &Connection,
    version: i32,
    migration: &Migration,
) -> Result<(), tokio_postgres::Error> {
    connection.script("BEGIN; SET LOCAL lock_timeout = '1s'").await?;
    connection.script(migration.sql).await?;
    record(connection, version, migration, true).await?;
    connection.script("COMMIT").await
}

/// Statement by statement. The row comes first, without a time of its end, so that a failure half-way is seen.
async fn apply_piecemeal(
    connection: &Connection,
    version: i32,
    migration: &Migration,
    patience: Duration,
) -> Result<(), ConnectError> {
    record(connection, version, migration, false).await?;
    for statement in statements::split(migration.sql) {
        for statement in for_each_partition(connection, statement).await? {
            // What waits concurrently holds up nobody else; anything else does, and so waits a second at a time.
            let limit = if concurrently(&statement) { "0" } else { "'1s'" };
            connection.script(&format!("SET lock_timeout = {limit}")).await?;
            let began = Instant::now();
            // Before every try: one that a deadlock ended leaves something too.
            drop_leftover(connection, &statement).await?;
            while let Err(error) = connection.script(&statement).await {
                wait_if_in_use(error, migration, "running it again goes on", began, patience).await?;
                drop_leftover(connection, &statement).await?;
            }
        }
    }
    record(connection, version, migration, true).await?;
    Ok(())
}

/// Waits a moment where tables are in use, so that it can be tried again; otherwise, or when patience is at its end, the
/// failure. `kept` says what is left of the migration then.
async fn wait_if_in_use(
    error: tokio_postgres::Error,
    migration: &Migration,
    kept: &str,
    began: Instant,
    patience: Duration,
) -> Result<(), ConnectError> {
    let in_use = error
        .code()
        .is_some_and(|code| [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code));
    if !in_use {
        let error = ConnectError::Server(error);
        return Err(ConnectError::Schema(format!(
            "the migration {} failed, and {kept}: {error}",
            migration.name
        )));
    }
    if began.elapsed() > patience {
        return Err(ConnectError::Schema(format!(
            "the migration {} found its tables in use for {} s, and {kept}: look for transactions that stay open \
             (pg_stat_activity), then run it again",
            migration.name,
            patience.as_secs()
        )));
    }
    tracing::info!(migration = migration.name, "its tables are in use; trying again");
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

/// The statement itself, or, where it is meant for the partitions of a table, one for each that is there. Those that are
/// made meanwhile get from their parent what it has by then.
async fn for_each_partition(connection: &Connection, statement: &str) -> Result<Vec<String>, ConnectError> {
    let Some((mark, parent)) = statements::each(statement) else { return Ok(vec![statement.to_owned()]) };
    let rows = connection
        .rows(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(quote_ident($1)) ORDER BY 1",
            &[(&parent, Type::TEXT)],
        )
        .await?;
    rows.iter().map(|row| Ok(statement.replace(mark, row.try_get::<_, &str>(0)?))).collect()
}

fn concurrently(statement: &str) -> bool {
    statement.split_whitespace().any(|word| word.eq_ignore_ascii_case("CONCURRENTLY"))
}

/// A `CREATE INDEX CONCURRENTLY` that failed leaves an index which slows writers and serves no reader, and which
/// `IF NOT EXISTS` takes for the real one.
async fn drop_leftover(connection: &Connection, statement: &str) -> Result<(), ConnectError> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|found| found.eq_ignore_ascii_case(word));
    if !is(0, "CREATE") || !concurrently(statement) {
        return Ok(());
    }
    let Some(on) = words.iter().position(|word| word.eq_ignore_ascii_case("ON")) else { return Ok(()) };
    let name = words[on - 1].trim_matches('"');
    let invalid = connection
        .rows(
            "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(quote_ident($1)) AND NOT indisvalid",
            &[(&name, Type::TEXT)],
        )
        .await?;
    if !invalid.is_empty() {
        tracing::info!(index = name, "dropping what an earlier try left of an index");
        connection.script(&format!("DROP INDEX CONCURRENTLY \"{}\"", name.replace('"', "\"\""))).await?;
    }
    Ok(())
}

async fn record(
    connection: &Connection,
    version: i32,
    migration: &Migration,
    finished: bool,
) -> Result<(), tokio_postgres::Error> {
    let sql = "INSERT INTO schema_migrations (version, name, sha256, min_reader, finished_at)
               VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN clock_timestamp() END)
               ON CONFLICT (version) DO UPDATE SET finished_at = excluded.finished_at";
    connection
        .rows(
            sql,
            &[
                (&version, Type::INT4),
                (&migration.name, Type::TEXT),
                (&migration.sha256().as_slice(), Type::BYTEA),
                (&migration.min_reader(version), Type::INT4),
                (&finished, Type::BOOL),
            ],
        )
        .await
        .map(drop)
}
