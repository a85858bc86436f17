//! What a command sees of the transaction that it shares with others.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use crate::Result;

/// The writer's open transaction.
pub(super) struct Tx<'a> {
    conn: &'a Connection,
    /// The time of everything that is written in it.
    pub(super) now: i64,
}

impl<'a> Tx<'a> {
    /// Begins.
    pub(super) fn begin(conn: &'a Connection, now: i64) -> Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self { conn, now })
    }

    /// Commits; what cannot be committed is rolled back.
    pub(super) fn commit(self) -> Result<()> {
        let done = self.execute("COMMIT", []);
        if done.is_err() {
            self.abandon();
        }
        done.map(drop)
    }

    /// Rolls everything back.
    pub(super) fn abandon(&self) {
        // SQLite rolls back by itself after some errors; then there is nothing left to do.
        if !self.is_lost()
            && let Err(error) = self.execute("ROLLBACK", [])
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Whether SQLite has rolled the whole transaction back (a full disk, an I/O error). Nothing may be written then:
    /// it would be a commit of its own.
    pub(super) fn is_lost(&self) -> bool {
        self.conn.is_autocommit()
    }

    /// Performs `work` so that its failure takes back its own changes and no others.
    pub(super) fn apart<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.execute("SAVEPOINT apart", [])?;
        let done = work(self);
        if done.is_err() && !self.is_lost() {
            self.execute("ROLLBACK TO apart", [])?;
        }
        if !self.is_lost() {
            self.execute("RELEASE apart", [])?;
        }
        done
    }

    /// Runs a statement; answers the number of rows changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        Ok(self.statement(sql)?.execute(params)?)
    }

    /// The first row, if there is one.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.statement(sql)?.query_row(params, read).optional()?)
    }

    /// All rows.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        Ok(self.statement(sql)?.query_map(params, read)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The key of the row inserted last.
    pub(super) fn inserted(&self) -> i64 {
        self.conn.last_insert_rowid()
    }

    fn statement(&self, sql: &str) -> Result<CachedStatement<'_>> {
        Ok(self.conn.prepare_cached(sql)?)
    }
}
