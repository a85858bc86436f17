//! Hints and pokes through PostgreSQL's `NOTIFY`, so that a small installation needs no other server.
//!
//! A commit with a `NOTIFY` in it takes a lock that all of a database's processes share. So notifications are sent on
//! a connection of their own, never inside anybody's transaction, one statement at a time, and at most every
//! [`PACE`]. Every waiting worker hears every hint. Needs a direct connection: a pooler in transaction mode forwards
//! notifications to nobody, which leaves polling.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Connection, Notification};

use crate::link::{ConnectError, Link, PROBE, Session, answer, count};
use crate::peer::{Peer, Wants};
use crate::pending::Pending;
use crate::wire::{Message, decode_others, encode};

/// Between two statements.
const PACE: Duration = Duration::from_millis(20);

/// Pokes in one notification, whose payload PostgreSQL limits to 8,000 bytes; a poke takes about 50.
const POKES: usize = 128;

/// Notifications that may wait here to be looked at.
const NOTIFICATIONS: usize = 1024;

/// A connection with what is notified over it.
pub struct PostgresSession {
    client: Client,
    notifications: mpsc::Receiver<Notification>,
}

impl PostgresSession {
    /// Drives a connection, over whatever stream, on a task of its own. It ends with the session.
    pub fn drive<S, T>(client: Client, mut connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, notifications) = mpsc::channel(NOTIFICATIONS);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(notification) = message {
                    // The driver never waits. What finds no room is lost like any message.
                    let _ = sender.try_send(notification);
                }
            }
        });
        Self { client, notifications }
    }
}

/// Makes connections to the database, with whatever TLS and passwords it takes. Called again after each loss.
#[async_trait]
pub trait PostgresConnector: Send + Sync + 'static {
    /// A new connection.
    async fn connect(&self) -> Result<PostgresSession, ConnectError>;
}

/// Sends and hears notifications.
pub(crate) struct PostgresLink {
    peer: Arc<Peer>,
    connector: Arc<dyn PostgresConnector>,
    pub(crate) pending: Pending,
    pub(crate) link: Link,
    hints: String,
    pokes: String,
}

impl PostgresLink {
    pub(crate) fn new(peer: Arc<Peer>, connector: Arc<dyn PostgresConnector>) -> Self {
        let (hints, pokes) = (peer.name("hints"), peer.name("pokes"));
        let link = Link::new("postgres", "hints and pokes wait for it");
        Self { peer, connector, pending: Pending::default(), link, hints, pokes }
    }

    async fn listen(&self, client: &Client, wants: Wants) -> Result<(), ConnectError> {
        let mut sql = String::new();
        for (channel, wanted) in [(&self.hints, wants.hints), (&self.pokes, wants.pokes)] {
            if wanted {
                sql += &format!("LISTEN \"{}\";", channel.replace('"', "\"\""));
            }
        }
        answer(client.batch_execute(&sql)).await
    }

    async fn notify(&self, client: &Client, channel: &str, message: &Message) -> Result<(), ConnectError> {
        let payload = encode(&self.peer, message);
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&channel, Type::TEXT), (&payload, Type::TEXT)];
        answer(client.query_typed("SELECT pg_notify($1, $2)", &params)).await?;
        Ok(())
    }

    async fn send(&self, client: &Client) -> Result<Infallible, ConnectError> {
        loop {
            self.pending.news().await;
            if self.pending.take_hints() > 0 {
                self.notify(client, &self.hints, &Message::Hint).await?;
                count(&self.link.stats.hints_sent);
            }
            loop {
                let pokes = self.pending.take_pokes(POKES);
                if pokes.is_empty() {
                    break;
                }
                let message = Message::Pokes(pokes);
                if let Err(error) = self.notify(client, &self.pokes, &message).await {
                    if let Message::Pokes(pokes) = message {
                        self.pending.put_back(pokes);
                    }
                    return Err(error);
                }
                count(&self.link.stats.sent);
            }
            tokio::time::sleep(PACE).await;
        }
    }

    async fn receive(
        &self,
        notifications: &mut mpsc::Receiver<Notification>,
    ) -> Result<Infallible, ConnectError> {
        while let Some(notification) = notifications.recv().await {
            match decode_others(&self.peer, &self.link.stats, notification.payload().as_bytes()) {
                Some((_, Message::Hint)) => {
                    count(&self.link.stats.hints_received);
                    self.peer.deliver_hint();
                }
                Some((_, Message::Pokes(pokes))) => {
                    count(&self.link.stats.received);
                    pokes.into_iter().for_each(|poke| self.peer.deliver_poke(poke));
                }
                Some(_) => count(&self.link.stats.ignored),
                None => {}
            }
        }
        Err("the connection is closed".into())
    }

    /// Listens for more when more is wanted, and finds out when the server is gone.
    async fn tend(
        &self,
        client: &Client,
        mut wants: watch::Receiver<Wants>,
    ) -> Result<Infallible, ConnectError> {
        loop {
            tokio::select! {
                _ = wants.changed() => {
                    let wanted = *wants.borrow_and_update();
                    self.listen(client, wanted).await?;
                }
                () = tokio::time::sleep(PROBE) => answer(client.batch_execute("")).await?,
            }
        }
    }
}

#[async_trait]
impl Session for PostgresLink {
    fn link(&self) -> &Link {
        &self.link
    }

    async fn serve(&self) -> Result<Infallible, ConnectError> {
        let session = answer(self.connector.connect()).await?;
        let (client, mut notifications) = (session.client, session.notifications);
        let mut wants = self.peer.wants();
        let wanted = *wants.borrow_and_update();
        self.listen(&client, wanted).await?;
        self.link.up();
        // What was notified while nobody listened is unknown.
        self.peer.deliver_hint();
        tokio::select! {
            ended = self.send(&client) => ended,
            ended = self.receive(&mut notifications) => ended,
            ended = self.tend(&client, wants) => ended,
        }
    }
}
