//! The broker of many processes: this process' own part, and connections to whatever servers there are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use agenticai_domain::ids::TaskId;

use crate::link::{Link, LinkStats, Session, count, keep_connected};
use crate::peer::Peer;
use crate::pending::Pending;
use crate::postgres::{PostgresConnector, PostgresLink};
use crate::rabbitmq::{RabbitMqConfig, RabbitMqLink};
use crate::redis::{RedisConfig, RedisLink};
use crate::{Broker, DeadLetter, Live, Poke};

/// Which servers carry what. Any subset works.
#[derive(Clone)]
pub struct BrokerConfig {
    /// Begins the names of all queues and channels: installations that share a server need names of their own.
    pub namespace: String,
    /// Carries hints and dead letters.
    pub rabbitmq: Option<RabbitMqConfig>,
    /// Carries live events and pokes.
    pub redis: Option<RedisConfig>,
    /// Carries hints while RabbitMQ does not, and pokes while Redis does not.
    pub postgres: Option<Arc<dyn PostgresConnector>>,
    /// The longest pause between two tries to connect, give or take half of it.
    pub longest_pause: Duration,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            namespace: "agenticai".to_owned(),
            rabbitmq: None,
            redis: None,
            postgres: None,
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// Hints, streams and pokes across processes. Dropped, it ends its connections.
pub struct ClusterBroker {
    peer: Arc<Peer>,
    rabbitmq: Option<Arc<RabbitMqLink>>,
    redis: Option<Arc<RedisLink>>,
    postgres: Option<Arc<PostgresLink>>,
    connections: Vec<AbortHandle>,
}

impl ClusterBroker {
    /// Begins to connect, on tasks of the current runtime, and does not wait for it.
    pub fn start(config: BrokerConfig) -> Self {
        let peer = Arc::new(Peer::new(config.namespace));
        let rabbitmq = config.rabbitmq.map(|config| Arc::new(RabbitMqLink::new(peer.clone(), config)));
        let redis = config.redis.map(|config| Arc::new(RedisLink::new(peer.clone(), config)));
        let postgres = config.postgres.map(|connector| Arc::new(PostgresLink::new(peer.clone(), connector)));
        let sessions: [Option<Arc<dyn Session>>; 3] = [
            rabbitmq.clone().map(|link| link as Arc<dyn Session>),
            redis.clone().map(|link| link as Arc<dyn Session>),
            postgres.clone().map(|link| link as Arc<dyn Session>),
        ];
        let sessions = sessions.into_iter().flatten();
        let connect = |session| tokio::spawn(keep_connected(session, config.longest_pause)).abort_handle();
        let connections = sessions.map(connect).collect();
        Self { peer, rabbitmq, redis, postgres, connections }
    }

    /// What has passed over each connection: for metrics.
    pub fn stats(&self) -> Vec<Arc<LinkStats>> {
        let links = [
            self.rabbitmq.as_ref().map(|link| &link.link),
            self.redis.as_ref().map(|link| &link.link),
            self.postgres.as_ref().map(|link| &link.link),
        ];
        links.into_iter().flatten().map(|link| link.stats.clone()).collect()
    }

    fn postgres(&self) -> Option<Way<'_>> {
        self.postgres.as_ref().map(|link| (&link.link, &link.pending))
    }
}

/// A connection and what waits for it.
type Way<'a> = (&'a Link, &'a Pending);

/// The first that is connected, else the first.
fn first_up<'a>(ways: [Option<Way<'a>>; 2]) -> Option<Way<'a>> {
    let mut ways = ways.into_iter().flatten().peekable();
    let first = ways.peek().copied();
    ways.find(|(link, _)| link.is_up()).or(first)
}

#[async_trait]
impl Broker for ClusterBroker {
    fn hint(&self) {
        self.peer.deliver_hint();
        // A worker of this very process is awake now and takes what there is.
        if self.peer.waits() {
            return;
        }
        let rabbitmq = self.rabbitmq.as_ref().map(|link| (&link.link, &link.pending));
        if let Some((_, pending)) = first_up([rabbitmq, self.postgres()]) {
            pending.hint();
        }
    }

    async fn hinted(&self) {
        self.peer.want_hints();
        self.peer.hinted().await;
    }

    fn publish(&self, task: TaskId, event: Live) {
        if let Some(redis) = &self.redis {
            redis.publish(task, &event);
        }
        self.peer.deliver(task, event);
    }

    fn has_readers(&self, task: TaskId) -> bool {
        self.peer.local.has_readers(task) || self.redis.as_ref().is_some_and(|redis| redis.has_readers(task))
    }

    fn subscribe(&self, task: TaskId) -> broadcast::Receiver<Arc<Live>> {
        let reader = self.peer.local.subscribe(task);
        if let Some(redis) = &self.redis {
            redis.reads(task);
        }
        reader
    }

    fn poke(&self, poke: Poke) {
        self.peer.deliver_poke(poke);
        let redis = self.redis.as_ref().map(|link| (&link.link, &link.pending));
        if let Some((link, pending)) = first_up([redis, self.postgres()])
            && !pending.poke(poke)
        {
            count(&link.stats.dropped);
        }
    }

    fn pokes(&self) -> broadcast::Receiver<Poke> {
        let pokes = self.peer.local.pokes();
        self.peer.want_pokes();
        pokes
    }

    fn dead(&self, letter: DeadLetter) {
        if let Some(rabbitmq) = &self.rabbitmq {
            rabbitmq.dead(letter);
        }
    }
}

impl Drop for ClusterBroker {
    fn drop(&mut self) {
        self.connections.iter().for_each(AbortHandle::abort);
    }
}
