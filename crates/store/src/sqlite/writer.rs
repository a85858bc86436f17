//! The thread that writes, and the queue before it.
//!
//! Group commit by natural batching: while one commit is synced, commands gather; then all of them go together. Under
//! load batches grow by themselves, and a lone command is committed at once.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::clock::Clock;
use super::stats::Counters;
use super::transaction::Tx;
use crate::{Result, StoreError};

/// Bounds of one transaction, so that nobody waits for long behind a burst.
const MAX_COMMANDS: usize = 512;
const MAX_BYTES: usize = 8 << 20;

/// Which queue a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Creation of tasks: a client waits for it, so it goes before execution.
    Create,
    /// Everything else.
    Work,
}

/// Something to be written.
trait Command: Send {
    /// Performs it and keeps the outcome; an error takes back what it wrote.
    fn run(&mut self, tx: &Tx<'_>) -> Result<()>;
    /// Tells the caller, once it is known whether the transaction was committed.
    fn answer(self: Box<Self>, committed: &Result<()>);
}

struct Call<F, T> {
    work: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Tx<'_>) -> Result<T> + Send> Command for Call<F, T> {
    fn run(&mut self, tx: &Tx<'_>) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        match work(tx) {
            Ok(value) => {
                self.outcome = Some(Ok(value));
                Ok(())
            }
            Err(error) => {
                self.outcome = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    fn answer(self: Box<Self>, committed: &Result<()>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Err(error), _) => Err(error.clone()),
            (Ok(()), None) => Err(StoreError::Unavailable("the command was not performed".to_owned())),
        };
        // A caller that has left reads what it wants to know later.
        let _ = self.reply.send(answer);
    }
}

struct Queued {
    bytes: usize,
    command: Box<dyn Command>,
}

#[derive(Default)]
struct Queues {
    create: VecDeque<Queued>,
    work: VecDeque<Queued>,
    closed: bool,
}

impl Queues {
    fn len(&self) -> usize {
        self.create.len() + self.work.len()
    }

    /// Creations first, but never more than half of a batch while other work waits: a flood of new tasks must not
    /// stop the running ones.
    fn batch(&mut self) -> Vec<Box<dyn Command>> {
        let mut batch = Vec::with_capacity(self.len().min(MAX_COMMANDS));
        let mut bytes = 0;
        let creations = if self.work.is_empty() { MAX_COMMANDS } else { MAX_COMMANDS / 2 };
        for (lane, most) in [(&mut self.create, creations), (&mut self.work, MAX_COMMANDS)] {
            while batch.len() < most && (batch.is_empty() || bytes < MAX_BYTES) {
                let Some(next) = lane.pop_front() else { break };
                bytes += next.bytes;
                batch.push(next.command);
            }
        }
        batch
    }
}

#[derive(Default)]
struct Queue {
    queues: Mutex<Queues>,
    arrived: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch; `None` when the queue is closed and empty.
    fn next(&self) -> Option<Vec<Box<dyn Command>>> {
        let mut queues = self.lock();
        while queues.len() == 0 {
            if queues.closed {
                return None;
            }
            queues = self.arrived.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
        Some(queues.batch())
    }

    fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }
}

/// The handle on the thread. Commands are not counted against a bound here: their callers wait for the answer, and
/// hold the data anyway; how many callers there are is bounded by the server and by the worker.
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. It holds `lock` as long as it writes.
    pub(super) fn start(
        conn: Connection,
        lock: File,
        clock: Arc<Clock>,
        counters: Arc<Counters>,
        checkpoints: Checkpoints,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn({
            let closing = Closing(queue.clone());
            move || {
                // Dropped last: the directory is free once nothing writes to it any more.
                let lock = lock;
                let closing = closing;
                write(&closing.0, &conn, &clock, &counters, &checkpoints);
                checkpoints.finish(&conn);
                drop(conn);
                drop(lock);
            }
        })?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)) })
    }

    /// Performs `work` in the next transaction and answers once that is committed. `bytes` says roughly how much it
    /// writes.
    pub(super) async fn call<T, F>(&self, lane: Lane, bytes: usize, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Call { work: Some(work), outcome: None, reply });
        {
            let mut queues = self.queue.lock();
            if queues.closed {
                return Err(StoreError::Closed);
            }
            let queued = Queued { bytes, command };
            match lane {
                Lane::Create => queues.create.push_back(queued),
                Lane::Work => queues.work.push_back(queued),
            }
        }
        self.queue.arrived.notify_one();
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Commands that wait.
    pub(super) fn queued(&self) -> usize {
        self.queue.lock().len()
    }

    /// Takes no more commands. What is queued is still written.
    pub(super) fn close(&self) {
        self.queue.close();
    }

    /// The thread, to wait for its end; the first caller gets it.
    pub(super) fn thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Closes the queue when the thread ends, however it ends: callers get an answer and do not wait for ever.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        let mut queues = self.0.lock();
        queues.closed = true;
        queues.create.clear();
        queues.work.clear();
    }
}

fn write(queue: &Queue, conn: &Connection, clock: &Clock, counters: &Counters, checkpoints: &Checkpoints) {
    while let Some(mut batch) = queue.next() {
        let committed = transact(conn, clock.now(), &mut batch);
        match &committed {
            Ok(()) => {
                counters.commits.fetch_add(1, Ordering::Relaxed);
                counters.commands.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
            Err(error) => {
                counters.failed_commits.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, commands = batch.len(), "a transaction failed");
            }
        }
        for command in batch {
            command.answer(&committed);
        }
        checkpoints.after_commit(conn);
    }
}

fn transact(conn: &Connection, now: i64, batch: &mut [Box<dyn Command>]) -> Result<()> {
    let tx = Tx::begin(conn, now)?;
    for command in batch {
        let done = tx.apart(|tx| command.run(tx));
        if tx.is_lost() {
            // The neighbours' changes are gone with it: nobody may be told that they are committed.
            return Err(done
                .err()
                .unwrap_or_else(|| StoreError::Unavailable("the transaction was rolled back".to_owned())));
        }
    }
    tx.commit()
}
