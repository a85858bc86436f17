//! Opening and closing.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::beats::Beats;
use super::checkpoint::Checkpoints;
use super::clock::Clock;
use super::connection::{self, Pragmas, Role};
use super::readers::Readers;
use super::rows::{DRAINED, PENDING, PRIORITY_MS, RUNNING};
use super::stats::{Counters, SqliteStats};
use super::writer::Writer;
use super::{OpenError, SqliteOptions, schema};
use crate::blobs::DirBlobs;
use crate::payload::Payloads;
use crate::{Result, StoreError};

/// The embedded store. Cloning it is cheap; all clones are one store.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) writer: Writer,
    pub(super) readers: Readers,
    pub(super) payloads: Payloads,
    pub(super) clock: Arc<Clock>,
    pub(super) beats: Beats,
    pub(super) counters: Arc<Counters>,
    /// Of the connections that write.
    pragmas: Vec<Pragmas>,
}

impl SqliteStore {
    /// Opens the store of a data directory and makes it where there is none. Every worker of an earlier process is
    /// dead and its tasks are ready at once: the lock proves that the process is gone.
    pub fn open(options: SqliteOptions) -> std::result::Result<Self, OpenError> {
        let lock = lock(&options.data_dir)?;
        let path = options.data_dir.join("agenticai.db");
        let blobs = options.data_dir.join("blobs");
        make_dir(&blobs)?;
        make_file(&path)?;
        let mut conn = connection::open(&path, Role::Writer)?;
        if let Some(pages) = options.max_pages {
            conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        schema::migrate(&mut conn, Clock::default().now())?;
        let clock = Arc::new(Clock::resume(&conn)?);
        bury_workers(&mut conn, clock.now())?;
        let counters = Arc::new(Counters::default());
        let checkpoints = Checkpoints::start(&path, &mut conn, counters.clone())?;
        let pragmas = vec![Pragmas::read(&conn, "writer")?, checkpoints.pragmas()];
        let readers = Readers::start(&path, options.read_connections)?;
        let writer = Writer::start(conn, lock, clock.clone(), counters.clone(), checkpoints)
            .map_err(|source| OpenError::Directory { path: options.data_dir.clone(), source })?;
        let payloads = Payloads::new(Arc::new(DirBlobs::new(blobs)));
        let beats = Beats::default();
        Ok(Self { inner: Arc::new(Inner { writer, readers, payloads, clock, beats, counters, pragmas }) })
    }

    /// Writes what is queued, moves the log into the database file, and frees the data directory. Everything after it
    /// answers [`StoreError::Closed`]. Dropping the last clone does the same, without waiting for it.
    pub async fn close(&self) -> Result<()> {
        self.inner.writer.close();
        self.inner.readers.close();
        let readers = self.inner.readers.threads();
        let writer = self.inner.writer.thread();
        tokio::task::spawn_blocking(move || {
            // The readers first: a checkpoint empties the log only where nobody reads it.
            let panicked = readers.into_iter().chain(writer).filter_map(|thread| thread.join().err()).count();
            match panicked {
                0 => Ok(()),
                _ => {
                    Err(StoreError::Unavailable("a thread of the store had panicked; see the log".to_owned()))
                }
            }
        })
        .await
        .unwrap_or(Err(StoreError::Closed))
    }

    /// Counters since it was opened.
    pub fn stats(&self) -> SqliteStats {
        self.inner.counters.read(self.inner.writer.queued())
    }

    /// The settings of every connection as SQLite reported them when it was opened.
    pub fn pragmas(&self) -> Vec<Pragmas> {
        self.inner.pragmas.iter().chain(self.inner.readers.pragmas()).cloned().collect()
    }
}

/// Creates the directory and locks it against other processes. The lock ends with the process, however that ends.
fn lock(dir: &Path) -> std::result::Result<File, OpenError> {
    make_dir(dir)?;
    let file = make_file(&dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Directory { path: dir.join("lock"), source }),
    }
}

/// A directory that only its owner can enter, also inside one that others can.
fn make_dir(path: &Path) -> std::result::Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| OpenError::Directory { path: path.to_owned(), source })
}

/// A file that only its owner can read. SQLite gives the files that it adds the mode of the database.
fn make_file(path: &Path) -> std::result::Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| OpenError::Directory { path: path.to_owned(), source })
}

/// Declares the workers of earlier processes dead and makes their tasks ready, with their epoch raised.
fn bury_workers(conn: &mut Connection, now: i64) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    // Running tasks are found through the index by status, which begins with the tenant.
    tx.execute(
        "UPDATE tasks SET status = ?1, owner = NULL, epoch = epoch + 1, ready_due = ?2 - priority * ?3
         WHERE tenant IN (SELECT num FROM tenants) AND status = ?4",
        params![PENDING, now, PRIORITY_MS, RUNNING],
    )?;
    tx.execute("UPDATE workers SET state = ?1 WHERE state < ?1", [DRAINED])?;
    tx.commit()
}
