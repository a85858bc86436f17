//! What opening takes, and how it can fail.

use std::path::PathBuf;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Holds the database, the blobs and the lock. Created where it is missing, readable by its owner alone.
    pub data_dir: PathBuf,
    /// Threads that read, each with a connection; at least 1.
    pub read_connections: usize,
    /// Bound on the size of the database in pages of 4 KiB; absent: the disk's.
    pub max_pages: Option<u32>,
}

impl SqliteOptions {
    /// The usual settings for a data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), read_connections: 2, max_pages: None }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory or a file in it cannot be used.
    #[error("{path}: {source}; check that the directory exists, is yours and is on a disk with space", path = .path.display())]
    Directory {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process works on this directory.
    #[error(
        "{path} is in use by another agenticai process: stop that one, or choose another directory with --data-dir",
        path = .path.display()
    )]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// The database was made by a newer program.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: use a newer program, or restore a \
         backup from before the upgrade"
    )]
    Newer {
        /// The database's version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// A migration that was applied is not the one that this program has.
    #[error(
        "migration {version} of the database is not the one that this program contains: use the program that made the \
         database, or restore a backup"
    )]
    Changed {
        /// The migration.
        version: i64,
    },
    /// SQLite could not open the database.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
}
