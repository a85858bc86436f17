//! Connections and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// The log is cut back to this after a checkpoint that emptied it, so that one burst does not keep its disk.
const LOG_LIMIT: i64 = 64 << 20;
/// No connection of ours waits for a lock in the usual course: one thread writes. This is for people with `sqlite3`.
const BUSY: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that changes rows.
    Writer,
    /// Copies the log into the database file.
    Checkpoint,
    /// Reads.
    Reader,
}

/// Settings as SQLite itself reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pragmas {
    /// Which connection: `writer`, `checkpoint` or `reader`.
    pub connection: String,
    /// `wal`.
    pub journal_mode: String,
    /// 2 is FULL: a commit is on the disk when it is answered.
    pub synchronous: i64,
    /// 1: on macOS, a sync goes through the drive's own cache.
    pub fullfsync: i64,
    /// 1: likewise for checkpoints.
    pub checkpoint_fullfsync: i64,
    /// 1: references are checked.
    pub foreign_keys: i64,
    /// Milliseconds that it waits for a lock of another process.
    pub busy_timeout: i64,
    /// 0: commits never checkpoint; a thread of its own does.
    pub wal_autocheckpoint: i64,
    /// Bytes to which the log is cut back.
    pub journal_size_limit: i64,
    /// Negative: KiB of page cache.
    pub cache_size: i64,
    /// 0: pages are read, not mapped. A mapped file turns a failing disk into a signal that kills the process.
    pub mmap_size: i64,
    /// 1: it cannot write.
    pub query_only: i64,
}

/// Opens a connection and sets it up for its role.
pub(super) fn open(path: &Path, role: Role) -> rusqlite::Result<Connection> {
    let flags = match role {
        Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Role::Checkpoint => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    // Each connection stays on one thread at a time, so SQLite's own mutexes are left out.
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    if role == Role::Writer {
        let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
                Some(format!("this disk does not support write-ahead logging (journal mode is {mode})")),
            ));
        }
    }
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", if role == Role::Writer { -16_384 } else { -2_048 })?;
    conn.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update(None, "query_only", role == Role::Reader)?;
    conn.set_prepared_statement_cache_capacity(96);
    Ok(conn)
}

impl Pragmas {
    /// Asks a connection.
    pub(super) fn read(conn: &Connection, connection: &str) -> rusqlite::Result<Self> {
        let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(Self {
            connection: connection.to_owned(),
            journal_mode: conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
            synchronous: number("synchronous")?,
            fullfsync: number("fullfsync")?,
            checkpoint_fullfsync: number("checkpoint_fullfsync")?,
            foreign_keys: number("foreign_keys")?,
            busy_timeout: number("busy_timeout")?,
            wal_autocheckpoint: number("wal_autocheckpoint")?,
            journal_size_limit: number("journal_size_limit")?,
            cache_size: number("cache_size")?,
            mmap_size: number("mmap_size")?,
            query_only: number("query_only")?,
        })
    }
}
