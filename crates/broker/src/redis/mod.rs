//! Live events and pokes through Redis' publish/subscribe. Nothing is stored in Redis, no key is written.
//!
//! Every process hears two channels: one that all share, `<namespace>.all`, and one of its own,
//! `<namespace>.to.<process>`. Readers announce on the first which tasks' streams they read, at once when they begin
//! and then every [`ANNOUNCE`]; an announcement counts for [`readers::COUNTS_FOR`]. So a process knows who reads what,
//! sends events only to those processes, all events of a piece of time in one message, and sends nothing where nobody
//! reads. A new reader is known after the time that two messages take, or, if the first is lost, after [`ANNOUNCE`];
//! one that has left is known at most [`readers::COUNTS_FOR`] later. A process that connects asks for all announcements.
//!
//! Workers hear pokes on `<namespace>.pokes`. Any server takes part: a single one, the master that Sentinel names, or
//! any node of a cluster, whose nodes forward what is published to each other. A user with restricted rights needs
//! `&<namespace>.*`, `+publish`, `+subscribe` and `+ping`.

mod connect;
mod outbox;
mod readers;

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::Pipeline;
use ::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use agenticai_domain::ids::TaskId;

use crate::Live;
use crate::link::{ConnectError, Link, PROBE, Session, answer, count, count_many};
use crate::peer::{Peer, ProcessId, Wants};
use crate::pending::Pending;
use crate::wire::{Message, decode_others, encode};

pub use connect::{RedisConfig, RedisServers};
use outbox::Outbox;
use readers::Readers;

/// Between two batches.
const PACE: Duration = Duration::from_millis(30);

/// How often readers are announced.
const ANNOUNCE: Duration = Duration::from_secs(2);

/// Tasks in one announcement.
const TASKS: usize = 4096;

/// Pokes in one message.
const POKES: usize = 1024;

/// Publishes and hears.
pub(crate) struct RedisLink {
    peer: Arc<Peer>,
    config: RedisConfig,
    pub(crate) pending: Pending,
    pub(crate) link: Link,
    /// Events for readers elsewhere.
    outbox: Outbox,
    /// Readers elsewhere.
    readers: Readers,
    /// Tasks that are read here since the last announcement.
    begun: Mutex<Vec<TaskId>>,
    /// Whether somebody has asked for an announcement of all.
    asked: AtomicBool,
    all: String,
    pokes: String,
}

impl RedisLink {
    pub(crate) fn new(peer: Arc<Peer>, config: RedisConfig) -> Self {
        let (all, pokes) = (peer.name("all"), peer.name("pokes"));
        let link =
            Link::new("redis", "streams come from the journal, without tokens, and cancelling takes longer");
        Self {
            peer,
            config,
            pending: Pending::default(),
            link,
            outbox: Outbox::default(),
            readers: Readers::default(),
            begun: Mutex::default(),
            asked: AtomicBool::new(false),
            all,
            pokes,
        }
    }

    /// Whether a process elsewhere reads the task's stream, as far as is known.
    pub(crate) fn has_readers(&self, task: TaskId) -> bool {
        self.readers.any(task)
    }

    /// Takes an event for the readers elsewhere, if there are any.
    pub(crate) fn publish(&self, task: TaskId, event: &Live) {
        let readers = self.readers.of(task);
        if readers.is_empty() {
            return;
        }
        if !self.link.is_up() {
            return count(&self.link.stats.dropped);
        }
        for reader in readers {
            if !self.outbox.push(reader, task, event.clone()) {
                count(&self.link.stats.dropped);
            }
        }
        self.pending.wake();
    }

    /// Announces that a task's stream is read here.
    pub(crate) fn reads(&self, task: TaskId) {
        // While there is no connection nothing needs to be noted: a new one begins with all that is read.
        if self.link.is_up() {
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(task);
            self.pending.wake();
        }
    }

    fn channel_of(&self, process: ProcessId) -> String {
        self.peer.name(&format!("to.{}", process.0))
    }

    fn announce(&self, pipeline: &mut Pipeline, tasks: &[TaskId], mut ask: bool) {
        for tasks in tasks.chunks(TASKS) {
            let message = Message::Reads { tasks: tasks.to_vec(), ask: std::mem::take(&mut ask) };
            pipeline.publish(&self.all, encode(&self.peer, &message)).ignore();
        }
        if ask {
            let message = Message::Reads { tasks: Vec::new(), ask };
            pipeline.publish(&self.all, encode(&self.peer, &message)).ignore();
        }
    }

    async fn publish_all(
        &self,
        connection: &mut MultiplexedConnection,
        pipeline: Pipeline,
    ) -> Result<(), ConnectError> {
        let messages = pipeline.len();
        if messages > 0 {
            answer(pipeline.exec_async(connection)).await?;
            count_many(&self.link.stats.sent, messages);
        }
        Ok(())
    }

    async fn send(&self, connection: &mut MultiplexedConnection) -> Result<Infallible, ConnectError> {
        let mut announce = interval_at(Instant::now() + ANNOUNCE, ANNOUNCE);
        announce.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = tokio::select! {
                () = self.pending.news() => false,
                _ = announce.tick() => true,
            };
            let mut pipeline = Pipeline::new();
            let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
            match due || self.asked.swap(false, Ordering::Relaxed) {
                true => self.announce(&mut pipeline, &self.peer.local.tasks_read(), false),
                false => self.announce(&mut pipeline, &begun, false),
            }
            for (reader, batch) in self.outbox.take() {
                pipeline.publish(self.channel_of(reader), encode(&self.peer, &Message::Live(batch))).ignore();
            }
            self.publish_all(connection, pipeline).await?;
            self.send_pokes(connection).await?;
            if due {
                self.readers.forget_the_gone();
            }
            tokio::time::sleep(PACE).await;
        }
    }

    async fn send_pokes(&self, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        loop {
            let pokes = self.pending.take_pokes(POKES);
            if pokes.is_empty() {
                return Ok(());
            }
            let mut pipeline = Pipeline::new();
            pipeline.publish(&self.pokes, encode(&self.peer, &Message::Pokes(pokes.clone()))).ignore();
            if let Err(error) = self.publish_all(connection, pipeline).await {
                self.pending.put_back(pokes);
                return Err(error);
            }
        }
    }

    async fn receive(&self, messages: &mut PubSubStream) -> Result<Infallible, ConnectError> {
        while let Some(message) = messages.next().await {
            let stats = &self.link.stats;
            let Some((from, message)) = decode_others(&self.peer, stats, message.get_payload_bytes()) else {
                continue;
            };
            match message {
                Message::Live(batch) => {
                    for (task, events) in batch {
                        events.into_iter().for_each(|event| self.peer.deliver(task, event));
                    }
                }
                Message::Pokes(pokes) => pokes.into_iter().for_each(|poke| self.peer.deliver_poke(poke)),
                Message::Reads { tasks, ask } => {
                    self.readers.note(from, &tasks);
                    if ask {
                        self.asked.store(true, Ordering::Relaxed);
                        self.pending.wake();
                    }
                }
                Message::Hint => {
                    count(&stats.ignored);
                    continue;
                }
            }
            count(&stats.received);
        }
        Err("the connection is closed".into())
    }

    /// Hears pokes once they are wanted, and finds out when the server is gone.
    async fn tend(
        &self,
        sink: &mut PubSubSink,
        mut wants: watch::Receiver<Wants>,
    ) -> Result<Infallible, ConnectError> {
        let mut hears_pokes = false;
        loop {
            if wants.borrow_and_update().pokes && !hears_pokes {
                answer(sink.subscribe(&self.pokes)).await?;
                hears_pokes = true;
            }
            tokio::select! {
                _ = wants.changed() => {}
                () = tokio::time::sleep(PROBE) => answer(sink.ping::<::redis::Value>()).await.map(drop)?,
            }
        }
    }
}

#[async_trait]
impl Session for RedisLink {
    fn link(&self) -> &Link {
        &self.link
    }

    async fn serve(&self) -> Result<Infallible, ConnectError> {
        let client = self.config.client().await?;
        let (mut sink, mut messages) = answer(client.get_async_pubsub()).await?.split();
        let channels = [self.all.clone(), self.channel_of(self.peer.id)];
        answer(sink.subscribe(&channels[..])).await?;
        let mut connection =
            answer(client.get_multiplexed_async_connection_with_config(&connect::settings())).await?;
        // Events from before the outage are of no use: their readers have read the journal.
        self.outbox.take();
        let mut first = Pipeline::new();
        self.announce(&mut first, &self.peer.local.tasks_read(), true);
        self.publish_all(&mut connection, first).await?;
        self.link.up();
        // Whoever began to read since then has not been told of.
        self.asked.store(true, Ordering::Relaxed);
        self.pending.wake();
        let wants = self.peer.wants();
        tokio::select! {
            ended = self.send(&mut connection) => ended,
            ended = self.receive(&mut messages) => ended,
            ended = self.tend(&mut sink, wants) => ended,
        }
    }
}
