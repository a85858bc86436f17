//! Hints through a queue of RabbitMQ, and dead letters for operators.
//!
//! Each hint of the queue `<namespace>.hints` wakes one worker. A worker takes one at a time and keeps it only if it
//! is about to claim; otherwise the hint goes back for another. Hints are coalesced, at most one batch every [`PACE`],
//! are not written to disk and expire after [`EXPIRY`], when polling has long found what they meant. The queue is
//! declared durable all the same, since RabbitMQ 4 discourages the other kind; on 3.10 and 4 alike it is a classic one,
//! which is away while its node is.
//!
//! Dead letters go to the fanout exchange `<namespace>.dead`, persistent, and stay in the quorum queue of that name
//! (the newest 10,000) until an operator takes them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicNackArguments, BasicPublishArguments, BasicQosArguments,
    Channel, ExchangeDeclareArguments, ExchangeType, QueueBindArguments, QueueDeclareArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::tls::TlsAdaptor;
use amqprs::{BasicProperties, FieldTable, FieldValue};
use async_trait::async_trait;
use percent_encoding::percent_decode_str;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::DeadLetter;
use crate::link::{ConnectError, Link, PROBE, Session, answer, count};
use crate::password;
use crate::peer::Peer;
use crate::pending::Pending;
use crate::tls::TlsFiles;
use crate::wire::{Message, decode, encode};

/// Between two batches of hints.
const PACE: Duration = Duration::from_millis(5);

/// Hints that one message stands for, and the most messages of a batch: a burst wakes several workers.
const HINTS_PER_MESSAGE: u64 = 64;
const MESSAGES_PER_BATCH: u64 = 8;

/// How long a worker that is not waiting keeps a hint before it goes back to the queue.
const HOLD: Duration = Duration::from_millis(20);

/// How long a hint lives in the queue, and how many do.
const EXPIRY: Duration = Duration::from_secs(1);
const QUEUE_HINTS: i64 = 256;

/// Dead letters kept by the queue, and by this process while the server is away.
const QUEUE_LETTERS: i64 = 10_000;
const LETTERS: usize = 256;

/// The longest string that AMQP has a place for in names.
const NAME: usize = 255;

/// The user that a new server has, and its password.
const GUEST: &str = "guest";

/// How RabbitMQ is reached.
#[derive(Debug, Clone)]
pub struct RabbitMqConfig {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`; of several, for the nodes of one cluster, the first that
    /// answers is used. Reserved characters are written as `%` and two digits.
    pub urls: Vec<String>,
    /// The password, where the addresses hold none. Read for each connection.
    pub password_file: Option<PathBuf>,
    /// Seconds after which both sides give a silent connection up.
    pub heartbeat_seconds: u16,
    /// For `amqps`.
    pub tls: TlsFiles,
}

impl Default for RabbitMqConfig {
    fn default() -> Self {
        Self { urls: Vec::new(), password_file: None, heartbeat_seconds: 10, tls: TlsFiles::default() }
    }
}

impl RabbitMqConfig {
    /// Finds what no later try would mend.
    pub fn check(&self) -> Result<(), ConnectError> {
        for url in &self.urls {
            let in_address = Address::parse(url)?.password.is_some();
            password::check(self.password_file.as_ref(), "RabbitMQ", in_address)?;
        }
        Ok(())
    }

    fn password(&self, address: &Address) -> Result<String, ConnectError> {
        match (&self.password_file, &address.password) {
            (Some(file), _) => password::read(file),
            (None, Some(password)) => Ok(password.clone()),
            (None, None) => Ok(if address.user == GUEST { GUEST } else { "" }.to_owned()),
        }
    }
}

/// Publishes and takes hints; publishes dead letters.
pub(crate) struct RabbitMqLink {
    peer: Arc<Peer>,
    config: RabbitMqConfig,
    pub(crate) pending: Pending,
    letters: Mutex<VecDeque<DeadLetter>>,
    pub(crate) link: Link,
    hints: String,
    dead: String,
}

impl RabbitMqLink {
    pub(crate) fn new(peer: Arc<Peer>, config: RabbitMqConfig) -> Self {
        let (hints, dead) = (peer.name("hints"), peer.name("dead"));
        let link = Link::new("rabbitmq", "workers look for tasks by themselves meanwhile");
        Self { peer, config, pending: Pending::default(), letters: Mutex::default(), link, hints, dead }
    }

    /// Takes a dead letter to be published. The oldest gives way where too many wait.
    pub(crate) fn dead(&self, letter: DeadLetter) {
        let mut letters = self.letters();
        letters.push_back(letter);
        if letters.len() > LETTERS {
            letters.pop_front();
            count(&self.link.stats.dropped);
        }
        drop(letters);
        self.pending.wake();
    }

    fn letters(&self) -> MutexGuard<'_, VecDeque<DeadLetter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the first node that answers.
    async fn connect(&self) -> Result<Connection, ConnectError> {
        let mut last: ConnectError = "no address is given".into();
        for url in &self.config.urls {
            match answer(self.open(url)).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open(&self, url: &str) -> Result<Connection, ConnectError> {
        let address = Address::parse(url)?;
        let password = self.config.password(&address)?;
        let mut args = OpenConnectionArguments::new(&address.host, address.port, &address.user, &password);
        args.virtual_host(&address.vhost)
            .heartbeat(self.config.heartbeat_seconds)
            .connection_name("agenticai");
        if address.tls {
            let connector = TlsConnector::from(Arc::new(self.config.tls.client()?));
            args.tls_adaptor(TlsAdaptor::new(connector, address.host));
        }
        Ok(Connection::open(&args).await?)
    }

    fn hint_queue(&self, passive: bool) -> QueueDeclareArguments {
        let arguments = table([
            ("x-message-ttl", FieldValue::l(EXPIRY.as_millis() as i64)),
            ("x-max-length", FieldValue::l(QUEUE_HINTS)),
        ]);
        QueueDeclareArguments::durable_client_named(&self.hints)
            .passive(passive)
            .arguments(arguments)
            .finish()
    }

    async fn declare(&self, channel: &Channel) -> Result<(), ConnectError> {
        channel.queue_declare(self.hint_queue(false)).await?;
        let dead = ExchangeDeclareArguments::of_type(&self.dead, ExchangeType::Fanout).durable(true).finish();
        channel.exchange_declare(dead).await?;
        let arguments = table([
            ("x-queue-type", FieldValue::from("quorum")),
            ("x-max-length", FieldValue::l(QUEUE_LETTERS)),
        ]);
        let dead = QueueDeclareArguments::durable_client_named(&self.dead).arguments(arguments).finish();
        channel.queue_declare(dead).await?;
        channel.queue_bind(QueueBindArguments::new(&self.dead, &self.dead, "")).await?;
        Ok(())
    }

    async fn send(&self, channel: &Channel) -> Result<Infallible, ConnectError> {
        let to_hints = BasicPublishArguments::new("", &self.hints);
        let to_dead = BasicPublishArguments::new(&self.dead, "");
        let transient = BasicProperties::default().with_persistence(false).finish();
        let persistent =
            BasicProperties::default().with_persistence(true).with_content_type("application/json").finish();
        loop {
            self.pending.news().await;
            let messages = self.pending.take_hints().div_ceil(HINTS_PER_MESSAGE).min(MESSAGES_PER_BATCH);
            for _ in 0..messages {
                let text = encode(&self.peer, &Message::Hint);
                answer(channel.basic_publish(transient.clone(), text.into(), to_hints.clone())).await?;
                count(&self.link.stats.hints_sent);
            }
            loop {
                let Some(letter) = self.letters().front().cloned() else { break };
                let text = serde_json::to_vec(&letter)?;
                answer(channel.basic_publish(persistent.clone(), text, to_dead.clone())).await?;
                count(&self.link.stats.sent);
                let mut letters = self.letters();
                if letters.front() == Some(&letter) {
                    letters.pop_front();
                }
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Takes hints, once somebody here wants them.
    async fn receive(&self, connection: &Connection) -> Result<Infallible, ConnectError> {
        self.peer.wants().wait_for(|wants| wants.hints).await?;
        let channel = answer(connection.open_channel(None)).await?;
        answer(channel.basic_qos(BasicQosArguments::new(0, 1, false))).await?;
        let consume = BasicConsumeArguments::new(&self.hints, "").manual_ack(true).finish();
        let (_, mut messages) = answer(channel.basic_consume_rx(consume)).await?;
        while let Some(message) = messages.recv().await {
            let Some(deliver) = message.deliver else { continue };
            let tag = deliver.delivery_tag();
            let text = message.content.unwrap_or_default();
            // One's own that came back is a hint like any other: nobody else took it.
            let hint = matches!(decode(&self.link.stats, &text), Some((_, Message::Hint)));
            let waited = !hint || tokio::time::timeout(HOLD, self.peer.until_waited_for()).await.is_ok();
            if hint && waited {
                count(&self.link.stats.hints_received);
                self.peer.deliver_hint();
            }
            match waited {
                true => answer(channel.basic_ack(BasicAckArguments::new(tag, false))).await?,
                false => answer(channel.basic_nack(BasicNackArguments::new(tag, false, true))).await?,
            }
        }
        Err("the server has cancelled the consumer of hints".into())
    }

    /// Finds out when the server is gone: one that is frozen ends no connection.
    async fn tend(&self, connection: &Connection, channel: &Channel) -> Result<Infallible, ConnectError> {
        loop {
            tokio::select! {
                _ = connection.listen_network_io_failure() => return Err("the connection is closed".into()),
                () = tokio::time::sleep(PROBE) => {}
            }
            if !connection.is_open() || !channel.is_open() {
                return Err("the connection is closed".into());
            }
            answer(channel.queue_declare(self.hint_queue(true))).await?;
        }
    }
}

#[async_trait]
impl Session for RabbitMqLink {
    fn link(&self) -> &Link {
        &self.link
    }

    async fn serve(&self) -> Result<Infallible, ConnectError> {
        let connection = self.connect().await?;
        let channel = answer(connection.open_channel(None)).await?;
        answer(self.declare(&channel)).await?;
        self.link.up();
        self.peer.deliver_hint();
        tokio::select! {
            ended = self.send(&channel) => ended,
            ended = self.receive(&connection) => ended,
            ended = self.tend(&connection, &channel) => ended,
        }
    }
}

fn table<const N: usize>(entries: [(&str, FieldValue); N]) -> FieldTable {
    let mut table = FieldTable::new();
    for (name, value) in entries {
        // The names are this module's and short.
        if let Ok(name) = name.try_into() {
            table.insert(name, value);
        }
    }
    table
}

/// Parts of a URL.
#[derive(Debug, PartialEq)]
struct Address {
    tls: bool,
    host: String,
    port: u16,
    user: String,
    password: Option<String>,
    vhost: String,
}

impl Address {
    fn parse(text: &str) -> Result<Self, ConnectError> {
        // The text is not repeated in messages: it holds a password.
        let url = Url::parse(text).map_err(|error| format!("the address of RabbitMQ is no URL: {error}"))?;
        let tls = match url.scheme() {
            "amqp" => false,
            "amqps" => true,
            other => {
                return Err(
                    format!("the address of RabbitMQ begins with {other}: write amqp or amqps").into()
                );
            }
        };
        let decode = |part: &str| percent_decode_str(part).decode_utf8().map(|text| text.into_owned());
        let user = match url.username() {
            "" => GUEST.to_owned(),
            user => decode(user)?,
        };
        let password = url.password().map(decode).transpose()?;
        let vhost = match url.path() {
            "" | "/" => "/".to_owned(),
            path => decode(path.trim_start_matches('/'))?,
        };
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or("the address of RabbitMQ has no host")?;
        if vhost.len() > NAME {
            return Err(format!("the virtual host in RabbitMQ's address is longer than {NAME} bytes").into());
        }
        let port = url.port().unwrap_or(if tls { 5671 } else { 5672 });
        Ok(Self { tls, host: host.trim_matches(['[', ']']).to_owned(), port, user, password, vhost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parse = |text| Address::parse(text).map_err(|error| error.to_string());
        let parts = |tls, port, user: &str, password: Option<&str>, vhost: &str| {
            let (user, password, vhost) = (user.to_owned(), password.map(str::to_owned), vhost.to_owned());
            Ok(Address { tls, host: "mq".to_owned(), port, user, password, vhost })
        };
        assert_eq!(parse("amqp://mq"), parts(false, 5672, "guest", None, "/"));
        assert_eq!(parse("amqp://mq/"), parts(false, 5672, "guest", None, "/"));
        assert_eq!(parse("amqps://a:b@mq/%2f"), parts(true, 5671, "a", Some("b"), "/"));
        assert_eq!(parse("amqp://a@mq"), parts(false, 5672, "a", None, "/"));
        assert_eq!(
            parse("amqp://a%40b:p%2F%3A%25@mq:99/my%20host"),
            parts(false, 99, "a@b", Some("p/:%"), "my host")
        );
        assert!(parse("http://mq").is_err());
        assert!(parse("amqp//a:secret@mq").is_err_and(|error| !error.contains("secret")));
    }
}
