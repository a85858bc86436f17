//! The schema and how it changes: numbered migrations, embedded, applied once each, in order, never changed afterwards.
//!
//! Only `agenticai migrate up` applies them; every other process checks and waits. Two releases run side by side while
//! one replaces the other, so a process also accepts a schema that is *newer* than its own, as long as each migration
//! that it does not know says that a program of its age may go on (`-- min-reader: N` in the first lines of its file,
//! N being the number of the last migration that such a program must know; absent: its own number).
//!
//! A file runs in one transaction and is kept whole or not at all. One that begins with `-- no-transaction` (for
//! `CREATE INDEX CONCURRENTLY`) is sent statement by statement; each must be one that can be sent again. There
//! `{each:journal}` stands for the partitions of `journal`, and the statement is sent for each: PostgreSQL makes no index
//! of a partitioned table concurrently, but `ON ONLY` it, then concurrently of each partition, then attached.

mod apply;
mod locks;
mod statements;

use agenticai_domain::journal::READS_FORMAT;
use sha2::{Digest, Sha256};

use super::{ConnectError, Connection};

pub use apply::{Applied, Patience};
pub use locks::{Lock, Mode};

/// Every migration of this program; its number is its place, from 1.
pub const MIGRATIONS: Migrations<'static> = Migrations(&[
    Migration { name: "0001_tables", sql: include_str!("../migrations/0001_tables.sql") },
    Migration { name: "0002_tasks", sql: include_str!("../migrations/0002_tasks.sql") },
    Migration { name: "0003_workers", sql: include_str!("../migrations/0003_workers.sql") },
    Migration { name: "0004_identity", sql: include_str!("../migrations/0004_identity.sql") },
    Migration { name: "0005_schedules", sql: include_str!("../migrations/0005_schedules.sql") },
    Migration { name: "0006_retention", sql: include_str!("../migrations/0006_retention.sql") },
    Migration { name: "0007_threads", sql: include_str!("../migrations/0007_threads.sql") },
    Migration { name: "0008_budgets", sql: include_str!("../migrations/0008_budgets.sql") },
    Migration { name: "0009_usage", sql: include_str!("../migrations/0009_usage.sql") },
    Migration { name: "0010_restores", sql: include_str!("../migrations/0010_restores.sql") },
    Migration { name: "0011_stuck", sql: include_str!("../migrations/0011_stuck.sql") },
    Migration { name: "0012_blobs", sql: include_str!("../migrations/0012_blobs.sql") },
    Migration { name: "0013_sessions", sql: include_str!("../migrations/0013_sessions.sql") },
    Migration { name: "0014_clock", sql: include_str!("../migrations/0014_clock.sql") },
]);

/// What `run "agenticai migrate up"` is called everywhere.
const ADVICE: &str = "run `agenticai migrate up`";

/// One step of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The name of its file, without the extension.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

/// Steps in order.
#[derive(Debug, Clone, Copy)]
pub struct Migrations<'a>(pub &'a [Migration]);

/// How one step stands in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub version: i32,
    /// The name of its file.
    pub name: String,
    /// How it stands.
    pub state: State,
}

/// How a step stands in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be applied.
    Pending,
    /// Applied.
    Applied {
        /// Milliseconds since 1970 by the database's clock.
        at: i64,
    },
    /// Begun and not ended: it runs right now, or failed half-way and can be run again.
    Unfinished,
    /// Applied from a file with other contents.
    Changed,
    /// Applied by a newer program, which says that this one may go on.
    NewerCompatible,
    /// Applied by a newer program; this one may not go on.
    NewerIncompatible,
}

/// A step to come, with what it locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its number.
    pub version: i32,
    /// The name of its file.
    pub name: String,
    /// Whether it is kept whole or not at all.
    pub in_transaction: bool,
    /// What its statements lock, one by one.
    pub locks: Vec<Lock>,
}

/// A row of `schema_migrations`.
struct Record {
    version: i32,
    name: String,
    sha256: Vec<u8>,
    min_reader: i32,
    finished_at: Option<i64>,
}

impl Migration {
    /// SHA-256 of its statements.
    fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.sql.as_bytes()).into()
    }

    /// What a line of its head says: `-- key` or `-- key: value`.
    fn head(&self, key: &str) -> Option<&'static str> {
        self.sql
            .lines()
            .map_while(|line| line.strip_prefix("--"))
            .find_map(|line| line.trim().strip_prefix(key).map(|rest| rest.trim_start_matches(':').trim()))
    }

    fn in_transaction(&self) -> bool {
        self.head("no-transaction").is_none()
    }

    /// The last migration that a program must know to run with this one.
    fn min_reader(&self, version: i32) -> i32 {
        self.head("min-reader").and_then(|number| number.parse().ok()).unwrap_or(version)
    }
}

/// Brings the schema of this program up to date. See [`Migrations::up`].
pub async fn migrate(connection: &Connection) -> Result<(), ConnectError> {
    MIGRATIONS.up(connection, Patience::default()).await.map(drop)
}

/// Whether this program may work with the schema (see [`Migrations::check`]), and can read what is written into it.
pub async fn check(connection: &Connection) -> Result<(), ConnectError> {
    MIGRATIONS.check(connection).await?;
    let rows = connection.rows("SELECT write_format FROM write_epoch", &[]).await?;
    let format = rows.first().map(|row| row.try_get::<_, i16>(0)).transpose()?.unwrap_or_default();
    if format > i16::from(READS_FORMAT) {
        return Err(ConnectError::Schema(format!(
            "journals are written in format {format}, and this program reads up to {READS_FORMAT}: use a newer program"
        )));
    }
    Ok(())
}

impl<'a> Migrations<'a> {
    /// Each with its number.
    fn numbered(&self) -> impl Iterator<Item = (i32, &'a Migration)> {
        (1..).zip(self.0)
    }

    /// The number of the newest.
    fn newest(&self) -> i32 {
        i32::try_from(self.0.len()).unwrap_or(i32::MAX)
    }

    /// Whether a program that knows these may work with the schema; [`ConnectError::Schema`] says why not.
    pub async fn check(&self, connection: &Connection) -> Result<(), ConnectError> {
        let records = records(connection).await?;
        if records.is_empty() {
            return Err(ConnectError::Schema(format!("the database has no tables yet: {ADVICE}")));
        }
        for status in self.statuses(&records) {
            let Status { name, state, .. } = status;
            return Err(ConnectError::Schema(match state {
                State::Applied { .. } | State::NewerCompatible => continue,
                State::Pending => format!("the migration {name} has not been applied: {ADVICE}"),
                State::Unfinished => {
                    format!("the migration {name} is being applied, or failed half-way: {ADVICE}")
                }
                State::Changed => changed(&name),
                State::NewerIncompatible => newer(&name),
            }));
        }
        Ok(())
    }

    /// How every step stands, those of newer programs included.
    pub async fn status(&self, connection: &Connection) -> Result<Vec<Status>, ConnectError> {
        Ok(self.statuses(&records(connection).await?))
    }

    /// What [`Self::up`] would do, and what it would lock.
    pub async fn plan(&self, connection: &Connection) -> Result<Vec<Planned>, ConnectError> {
        let open = self.status(connection).await?;
        let open = |version| {
            open.iter().any(|status| {
                status.version == version && matches!(status.state, State::Pending | State::Unfinished)
            })
        };
        let mut made = Default::default();
        Ok(self
            .numbered()
            .filter(|(version, _)| open(*version))
            .map(|(version, migration)| Planned {
                version,
                name: migration.name.to_owned(),
                in_transaction: migration.in_transaction(),
                locks: locks::of(migration.sql, &mut made),
            })
            .collect())
    }

    fn statuses(&self, records: &[Record]) -> Vec<Status> {
        let own = self.numbered().map(|(version, migration)| {
            let record = records.iter().find(|record| record.version == version);
            let state = match record {
                None => State::Pending,
                Some(record) if record.sha256 != migration.sha256() => State::Changed,
                Some(record) => record.finished_at.map_or(State::Unfinished, |at| State::Applied { at }),
            };
            Status { version, name: migration.name.to_owned(), state }
        });
        let newer = records.iter().filter(|record| record.version > self.newest()).map(|record| {
            let readable = record.min_reader <= self.newest();
            let state = if readable { State::NewerCompatible } else { State::NewerIncompatible };
            Status { version: record.version, name: record.name.clone(), state }
        });
        own.chain(newer).collect()
    }
}

fn changed(name: &str) -> String {
    format!(
        "the migration {name} was applied with other contents: this program and the database come from different \
         sources; use the program that made it"
    )
}

fn newer(name: &str) -> String {
    format!(
        "a newer program applied the migration {name}, which this one cannot work with: use a newer program"
    )
}

/// What was applied, in order; nothing where there is no table of it.
async fn records(connection: &Connection) -> Result<Vec<Record>, ConnectError> {
    let there = connection.rows("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await?;
    let there = there.first().map(|row| row.try_get::<_, bool>(0)).transpose()?.unwrap_or(false);
    if !there {
        return Ok(Vec::new());
    }
    let rows = connection
        .rows(
            "SELECT version, name, sha256, min_reader, (extract(epoch FROM finished_at) * 1000)::int8
             FROM schema_migrations ORDER BY version",
            &[],
        )
        .await?;
    let record = |row: &tokio_postgres::Row| {
        Ok(Record {
            version: row.try_get(0)?,
            name: row.try_get(1)?,
            sha256: row.try_get(2)?,
            min_reader: row.try_get(3)?,
            finished_at: row.try_get(4)?,
        })
    };
    rows.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_keeps_the_rules() {
        for (version, migration) in MIGRATIONS.numbered() {
            assert!(migration.name.starts_with(&format!("{version:04}_")), "{}", migration.name);
            assert!(migration.min_reader(version) <= version, "{}", migration.name);
            if !migration.in_transaction() {
                for statement in statements::split(migration.sql) {
                    let upper = statement.to_ascii_uppercase();
                    let again =
                        ["IF NOT EXISTS", "IF EXISTS", "ATTACH PARTITION"].iter().any(|s| upper.contains(s));
                    assert!(again, "{}: `{statement}` cannot be sent again", migration.name);
                }
            }
        }
    }

    #[test]
    fn the_head_of_a_file_says_how_it_is_applied() {
        let plain = Migration { name: "0003_x", sql: "-- Why.\nCREATE TABLE x ();\n-- no-transaction\n" };
        assert!(plain.in_transaction());
        assert_eq!(plain.min_reader(3), 3);
        let marked = Migration { name: "0003_x", sql: "-- no-transaction\n-- min-reader: 2\nSELECT 1;" };
        assert!(!marked.in_transaction());
        assert_eq!(marked.min_reader(3), 2);
    }
}
