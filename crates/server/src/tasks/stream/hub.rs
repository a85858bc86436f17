//! The safety net under live events: once a second one question to the store about all tasks that are watched here.
//!
//! A live event may be lost, or come from a process whose broker is down. A watcher that heard nothing learns of news
//! here at latest, so a lost message delays a stream and never hangs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskStatus;
use agenticai_store::Store;

/// What the store said last: seq of the newest entry, and status.
pub(crate) type News = Option<(u64, TaskStatus)>;
/// Changes when there is news of a task.
pub(crate) type Watch = watch::Receiver<News>;

/// The tasks that are watched by this process.
pub(crate) struct Hub {
    store: Arc<dyn Store>,
    poll: Duration,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    tasks: HashMap<TaskId, watch::Sender<News>>,
    /// Whether the task that asks runs: it ends when nothing is watched.
    asking: bool,
}

impl Hub {
    /// Asks `store` every `poll`, while anything is watched.
    pub fn new(store: Arc<dyn Store>, poll: Duration) -> Arc<Self> {
        Arc::new(Self { store, poll, watched: Mutex::default() })
    }

    /// Watches a task until the receiver is dropped.
    pub fn watch(self: &Arc<Self>, task: TaskId) -> Watch {
        let mut watched = self.watched();
        let receiver = watched.tasks.entry(task).or_insert_with(|| watch::Sender::new(None)).subscribe();
        if !watched.asking {
            watched.asking = true;
            tokio::spawn(self.clone().ask());
        }
        receiver
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.poll).await;
            let tasks: Vec<TaskId> = {
                let mut watched = self.watched();
                watched.tasks.retain(|_, sender| sender.receiver_count() > 0);
                if watched.tasks.is_empty() {
                    watched.asking = false;
                    return;
                }
                watched.tasks.keys().copied().collect()
            };
            match self.store.last_seqs(tasks).await {
                Ok(all) => self.tell(all),
                Err(error) => tracing::warn!(%error, "the store did not say how the streamed tasks stand"),
            }
        }
    }

    fn tell(&self, all: Vec<(TaskId, u64, TaskStatus)>) {
        let watched = self.watched();
        for (task, last_seq, status) in all {
            if let Some(sender) = watched.tasks.get(&task) {
                let news = Some((last_seq, status));
                sender.send_if_modified(|old| std::mem::replace(old, news) != news);
            }
        }
    }
}
