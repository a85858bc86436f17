//! The broker of a single process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Notify, broadcast};

use agenticai_domain::ids::TaskId;

use crate::{Broker, Live, Poke};

/// Events kept for a reader that lags; beyond them it reads the journal.
const STREAM_EVENTS: usize = 256;
const POKES: usize = 4096;

/// Hints and streams in memory.
pub struct MemoryBroker {
    work: Notify,
    streams: Mutex<HashMap<TaskId, broadcast::Sender<Arc<Live>>>>,
    /// Number of entries of `streams`, so that publishing to nobody takes no lock.
    streaming: AtomicUsize,
    pokes: broadcast::Sender<Poke>,
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self {
            work: Notify::new(),
            streams: Mutex::default(),
            streaming: AtomicUsize::new(0),
            pokes: broadcast::Sender::new(POKES),
        }
    }
}

impl MemoryBroker {
    /// The tasks whose streams are being read.
    pub(crate) fn tasks_read(&self) -> Vec<TaskId> {
        let streams = self.streams();
        streams.iter().filter(|(_, stream)| stream.receiver_count() > 0).map(|(task, _)| *task).collect()
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<TaskId, broadcast::Sender<Arc<Live>>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    fn hint(&self) {
        self.work.notify_one();
    }

    async fn hinted(&self) {
        self.work.notified().await;
    }

    fn publish(&self, task: TaskId, event: Live) {
        if self.streaming.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut streams = self.streams();
        let gone = streams.get(&task).is_some_and(|stream| stream.send(Arc::new(event)).is_err());
        if gone {
            streams.remove(&task);
            self.streaming.store(streams.len(), Ordering::Relaxed);
        }
    }

    fn has_readers(&self, task: TaskId) -> bool {
        self.streaming.load(Ordering::Relaxed) > 0
            && self.streams().get(&task).is_some_and(|stream| stream.receiver_count() > 0)
    }

    fn subscribe(&self, task: TaskId) -> broadcast::Receiver<Arc<Live>> {
        let mut streams = self.streams();
        // Streams whose readers left without another event are swept here, where the map would grow.
        streams.retain(|_, stream| stream.receiver_count() > 0);
        let reader = streams.entry(task).or_insert_with(|| broadcast::Sender::new(STREAM_EVENTS)).subscribe();
        self.streaming.store(streams.len(), Ordering::Relaxed);
        reader
    }

    fn poke(&self, poke: Poke) {
        // Nobody listening is no fault: the journal tells later.
        let _ = self.pokes.send(poke);
    }

    fn pokes(&self) -> broadcast::Receiver<Poke> {
        self.pokes.subscribe()
    }
}
