//! Migrations: numbered, embedded, applied once each, in order, and never changed afterwards.

use super::{ConnectError, Connection};

/// Every migration; its number is its place, from 1.
const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001_tables.sql"),
    include_str!("migrations/0002_tasks.sql"),
    include_str!("migrations/0003_workers.sql"),
    include_str!("migrations/0004_identity.sql"),
];

/// Brings the schema up to date.
pub async fn migrate(connection: &Connection) -> Result<(), ConnectError> {
    for sql in MIGRATIONS {
        connection.script(sql).await?;
    }
    Ok(())
}
