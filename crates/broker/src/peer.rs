//! This process, as the connections to the servers see it.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use agenticai_domain::ids::TaskId;

use crate::{Broker as _, Live, MemoryBroker, Poke};

/// A process, named anew at each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ProcessId(pub(crate) Uuid);

/// What a process wants to hear. It is told of nothing else: an API process that took hints from a queue would take
/// them from the workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) hints: bool,
    pub(crate) pokes: bool,
}

/// This process: its readers and waiters, whom the connections deliver to.
pub(crate) struct Peer {
    pub(crate) id: ProcessId,
    /// Begins the names of channels and queues.
    pub(crate) namespace: String,
    pub(crate) local: MemoryBroker,
    wants: watch::Sender<Wants>,
    /// How many wait for a hint now.
    waiting: watch::Sender<usize>,
}

impl Peer {
    pub(crate) fn new(namespace: String) -> Self {
        Self {
            id: ProcessId(Uuid::new_v4()),
            namespace,
            local: MemoryBroker::default(),
            wants: watch::Sender::default(),
            waiting: watch::Sender::new(0),
        }
    }

    /// The name of a channel or queue.
    pub(crate) fn name(&self, of: &str) -> String {
        format!("{}.{of}", self.namespace)
    }

    /// What is wanted, now and later.
    pub(crate) fn wants(&self) -> watch::Receiver<Wants> {
        self.wants.subscribe()
    }

    pub(crate) fn want_hints(&self) {
        self.wants.send_if_modified(|wants| !std::mem::replace(&mut wants.hints, true));
    }

    pub(crate) fn want_pokes(&self) {
        self.wants.send_if_modified(|wants| !std::mem::replace(&mut wants.pokes, true));
    }

    /// Waits for a hint, visibly.
    pub(crate) async fn hinted(&self) {
        struct Waiting<'a>(&'a watch::Sender<usize>);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.send_modify(|waiting| *waiting -= 1);
            }
        }
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _waiting = Waiting(&self.waiting);
        self.local.hinted().await;
    }

    /// Whether somebody in this process waits for a hint.
    pub(crate) fn waits(&self) -> bool {
        *self.waiting.borrow() > 0
    }

    /// Waits until somebody in this process waits for a hint.
    pub(crate) async fn until_waited_for(&self) {
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    /// Wakes whoever waits for a hint, now or next.
    pub(crate) fn deliver_hint(&self) {
        self.local.hint();
    }

    /// Hands on what came from another process. A task that nobody here reads or holds is nobody's business.
    pub(crate) fn deliver(&self, task: TaskId, event: Live) {
        self.local.publish(task, event);
    }

    /// Like [`Self::deliver`], for pokes.
    pub(crate) fn deliver_poke(&self, poke: Poke) {
        self.local.poke(poke);
    }
}
