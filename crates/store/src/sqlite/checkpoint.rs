//! Moving the log into the database file without holding up commits.
//!
//! A checkpoint inside a commit would make that one commit wait for thousands of pages. So a thread with a connection
//! of its own copies them while the writer goes on. Under constant load it never reaches the end of the log, which
//! would grow for ever; therefore the writer, between two commits, copies the few pages that are left once the thread
//! is through, and the next commit starts the log anew.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use super::connection::{self, Pragmas, Role};
use super::stats::Counters;

/// Pages (4 KiB each) in the log from which it is worth copying: pages that change often are copied once for many
/// commits.
const WORTH_COPYING: u64 = 2_048;

/// Nothing to do yet.
const IDLE: u8 = 0;
/// The thread copies.
const COPYING: u8 = 1;
/// The thread is through: the writer copies the rest.
const COPIED: u8 = 2;

/// The writer's side.
pub(super) struct Checkpoints {
    counters: Arc<Counters>,
    stage: Arc<AtomicU8>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    pragmas: Pragmas,
}

impl Checkpoints {
    /// Starts the thread, and counts the pages of the log from now on.
    pub(super) fn start(
        path: &Path,
        writer: &mut Connection,
        counters: Arc<Counters>,
    ) -> Result<Self, super::OpenError> {
        let conn = connection::open(path, Role::Checkpoint)?;
        let pragmas = Pragmas::read(&conn, "checkpoint")?;
        let pages = counters.clone();
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, in_log: std::ffi::c_int| {
            pages.log_pages.store(u64::try_from(in_log).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let (wake, woken) = sync_channel(1);
        let stage = Arc::new(AtomicU8::new(IDLE));
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn({
                let stage = stage.clone();
                move || {
                    while woken.recv().is_ok() {
                        copy(&conn, CheckpointMode::PASSIVE);
                        stage.store(COPIED, Ordering::Release);
                    }
                }
            })
            .map_err(|source| super::OpenError::Directory { path: path.to_owned(), source })?;
        Ok(Self { counters, stage, wake: Some(wake), thread: Some(thread), pragmas })
    }

    /// The settings of the thread's connection.
    pub(super) fn pragmas(&self) -> Pragmas {
        self.pragmas.clone()
    }

    /// Called by the writer after each commit.
    pub(super) fn after_commit(&self, writer: &Connection) {
        if self.counters.log_pages.load(Ordering::Relaxed) < WORTH_COPYING {
            return;
        }
        match self.stage.load(Ordering::Acquire) {
            IDLE => {
                self.stage.store(COPYING, Ordering::Release);
                let woken = self.wake.as_ref().is_some_and(|wake| wake.try_send(()).is_ok());
                if !woken {
                    // Without the thread the writer does the work itself, slower.
                    self.stage.store(IDLE, Ordering::Release);
                    copy(writer, CheckpointMode::PASSIVE);
                }
            }
            COPIED => {
                self.stage.store(IDLE, Ordering::Release);
                copy(writer, CheckpointMode::PASSIVE);
            }
            _ => {}
        }
    }

    /// Called by the writer at its end: the next start finds an empty log.
    pub(super) fn finish(mut self, writer: &Connection) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the checkpoint thread had panicked");
        }
        copy(writer, CheckpointMode::TRUNCATE);
    }
}

/// A checkpoint that fails costs disk space, no data: the log keeps everything, and the next one tries again.
fn copy(conn: &Connection, mode: CheckpointMode) {
    if let Err(error) = conn.wal_checkpoint_v2(Some(MAIN_DB), mode) {
        tracing::warn!(%error, "the log could not be copied into the database file; it is tried again");
    }
}
