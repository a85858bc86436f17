//! Hints and pokes that wait to be sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::Poke;

/// Pokes kept while a server is away. More are as good as lost: whoever holds the tasks hears of their ends by other
/// ways before that many could be handed on.
const POKES: usize = 4096;

/// What waits to be sent over one connection.
#[derive(Default)]
pub(crate) struct Pending {
    hints: AtomicU64,
    pokes: Mutex<VecDeque<Poke>>,
    news: Notify,
}

impl Pending {
    pub(crate) fn hint(&self) {
        // Only the first of a batch wakes the sender.
        if self.hints.fetch_add(1, Ordering::Relaxed) == 0 {
            self.news.notify_one();
        }
    }

    /// The number of hints since the last call.
    pub(crate) fn take_hints(&self) -> u64 {
        self.hints.swap(0, Ordering::Relaxed)
    }

    /// Answers whether there was room.
    pub(crate) fn poke(&self, poke: Poke) -> bool {
        let mut pokes = self.pokes();
        let room = pokes.len() < POKES;
        if room {
            pokes.push_back(poke);
        }
        drop(pokes);
        self.news.notify_one();
        room
    }

    /// Takes up to `most` pokes, the oldest first.
    pub(crate) fn take_pokes(&self, most: usize) -> Vec<Poke> {
        let mut pokes = self.pokes();
        let taken = pokes.len().min(most);
        pokes.drain(..taken).collect()
    }

    /// Puts back what could not be sent, in front.
    pub(crate) fn put_back(&self, unsent: Vec<Poke>) {
        let mut pokes = self.pokes();
        unsent.into_iter().rev().for_each(|poke| pokes.push_front(poke));
        pokes.truncate(POKES);
    }

    /// Waits until there is something to send; what came while nobody waited counts.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Wakes the sender for something that lies elsewhere.
    pub(crate) fn wake(&self) {
        self.news.notify_one();
    }

    fn pokes(&self) -> MutexGuard<'_, VecDeque<Poke>> {
        self.pokes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
