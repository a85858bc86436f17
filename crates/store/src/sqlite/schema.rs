//! Migrations: numbered, embedded, applied once each, in order, and never changed afterwards.

use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::OpenError;

/// Every migration; its number is its place, from 1.
const MIGRATIONS: [&str; 5] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_schedules.sql"),
    include_str!("migrations/0003_threads.sql"),
    include_str!("migrations/0004_budgets.sql"),
    include_str!("migrations/0005_restores.sql"),
];

/// Brings the schema up to date. Refuses a database that a newer program made, before anything is written.
pub(super) fn migrate(conn: &mut Connection, now: i64) -> Result<(), OpenError> {
    migrate_to(conn, &MIGRATIONS, now)
}

fn migrate_to(conn: &mut Connection, migrations: &[&str], now: i64) -> Result<(), OpenError> {
    // One transaction for all: a crash leaves the schema as it was before.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version     INTEGER PRIMARY KEY,
             sha256      BLOB NOT NULL,
             applied_at  INTEGER NOT NULL
         ) STRICT",
    )?;
    let applied: Vec<(i64, Vec<u8>)> = tx
        .prepare("SELECT version, sha256 FROM schema_migrations ORDER BY version")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if let Some((found, _)) = applied.last()
        && *found > migrations.len() as i64
    {
        return Err(OpenError::Newer { found: *found, known: migrations.len() as i64 });
    }
    for (version, sql) in (1_i64..).zip(migrations) {
        let sha256 = Sha256::digest(sql.as_bytes());
        match applied.iter().find(|(number, _)| *number == version) {
            Some((_, before)) if before.as_slice() == sha256.as_slice() => {}
            Some(_) => return Err(OpenError::Changed { version }),
            None => {
                tx.execute_batch(sql)?;
                tx.execute(
                    "INSERT INTO schema_migrations (version, sha256, applied_at) VALUES (?1, ?2, ?3)",
                    params![version, sha256.as_slice(), now],
                )?;
            }
        }
    }
    tx.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn applied_once_and_then_left_alone() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, 1).unwrap();
        conn.execute("INSERT INTO tenants (id, name, created_at) VALUES (x'00', 'kept', 1)", []).unwrap();
        migrate(&mut conn, 2).unwrap();
        let (rows, at): (i64, i64) = conn
            .query_row("SELECT count(*), max(applied_at) FROM schema_migrations", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .unwrap();
        assert_eq!((rows, at), (MIGRATIONS.len() as i64, 1));
        assert_eq!(
            conn.query_row("SELECT name FROM tenants", [], |r| r.get::<_, String>(0)).unwrap(),
            "kept"
        );
    }

    #[test]
    fn a_newer_schema_is_refused_and_a_changed_one_too() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate_to(&mut conn, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"], 1).unwrap();
        assert!(matches!(
            migrate_to(&mut conn, &["CREATE TABLE a (x)"], 2),
            Err(OpenError::Newer { found: 2, known: 1 })
        ));
        assert!(matches!(
            migrate_to(&mut conn, &["CREATE TABLE a (x, y)", "CREATE TABLE b (x)"], 2),
            Err(OpenError::Changed { version: 1 })
        ));
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert!(migrate_to(&mut conn, &["CREATE TABLE a (x)", "CREATE TABLE a (x)"], 1).is_err());
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).unwrap();
        assert_eq!(tables, 0);
    }
}
