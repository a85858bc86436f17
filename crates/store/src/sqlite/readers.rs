//! The threads that read.
//!
//! A read takes some microseconds where its pages are cached, and milliseconds where they are not: it must not be done
//! on a thread that also drives the network. A thread that owns its connection is cheaper than a pool of connections
//! that wander between threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::OpenError;
use super::connection::{self, Pragmas, Role};
use crate::{Result, StoreError};

type Job = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    arrived: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            jobs = self.arrived.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The handle on the threads.
pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// As each connection reported them when it was opened.
    pragmas: Vec<Pragmas>,
}

impl Readers {
    /// Opens `count` connections and starts a thread for each.
    pub(super) fn start(path: &Path, count: usize) -> std::result::Result<Self, OpenError> {
        let mut readers = Self { queue: Arc::default(), threads: Mutex::default(), pragmas: Vec::new() };
        for number in 0..count.max(1) {
            let conn = connection::open(path, Role::Reader)?;
            readers.pragmas.push(Pragmas::read(&conn, "reader")?);
            let queue = readers.queue.clone();
            let thread = std::thread::Builder::new()
                .name(format!("sqlite-reader-{number}"))
                .spawn(move || {
                    while let Some(job) = queue.next() {
                        // A read that panics costs its caller the answer, and nobody else the thread.
                        let _ = catch_unwind(AssertUnwindSafe(|| job(&conn)));
                    }
                })
                .map_err(|source| OpenError::Directory { path: path.to_owned(), source })?;
            readers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(readers)
    }

    /// Performs `read` on one of the threads.
    pub(super) async fn call<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        {
            let mut jobs = self.queue.lock();
            if jobs.closed {
                return Err(StoreError::Closed);
            }
            jobs.waiting.push_back(Box::new(move |conn| {
                // A caller that has left wants no answer, and needs no work.
                if !reply.is_closed() {
                    let _ = reply.send(read(conn));
                }
            }));
        }
        self.queue.arrived.notify_one();
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The settings of every connection.
    pub(super) fn pragmas(&self) -> &[Pragmas] {
        &self.pragmas
    }

    /// Takes no more reads. Those that wait are still answered.
    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.queue.arrived.notify_all();
    }

    /// The threads, to wait for their end; the first caller gets them.
    pub(super) fn threads(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}
