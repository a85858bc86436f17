//! Brokers on servers that the tests share.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_broker::postgres::{PostgresConnector, PostgresSession};
use agenticai_broker::rabbitmq::RabbitMqConfig;
use agenticai_broker::redis::{RedisConfig, RedisServers};
use agenticai_broker::{Broker, BrokerConfig, ClusterBroker, ConnectError, LinkStats, TlsFiles};
use agenticai_testkit::broker_conformance::{Pair, next, task, token, until};
use agenticai_testkit::servers::postgres;
use agenticai_testkit::servers::rabbitmq::RabbitMq;
use agenticai_testkit::servers::redis::Redis;
use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;
use uuid::Uuid;

/// How long a connection may take, again after an outage too: a frozen server is noticed after ten seconds, and the
/// next try may be seven seconds away.
pub const CONNECTED_WITHIN: Duration = Duration::from_secs(40);

pub async fn rabbitmq() -> &'static RabbitMq {
    static SHARED: OnceCell<RabbitMq> = OnceCell::const_new();
    SHARED.get_or_init(async || RabbitMq::start().await.unwrap()).await
}

pub async fn redis() -> &'static Redis {
    static SHARED: OnceCell<Redis> = OnceCell::const_new();
    SHARED.get_or_init(async || Redis::start().await.unwrap()).await
}

/// A connector without TLS.
pub struct Connector(pub String);

#[async_trait]
impl PostgresConnector for Connector {
    async fn connect(&self) -> Result<PostgresSession, ConnectError> {
        let (client, connection) = tokio_postgres::connect(&self.0, NoTls).await?;
        Ok(PostgresSession::drive(client, connection))
    }
}

/// A configuration that nobody else's messages reach.
pub fn config() -> BrokerConfig {
    BrokerConfig { namespace: format!("test-{}", Uuid::new_v4()), ..Default::default() }
}

pub fn on_rabbitmq(url: String) -> Option<RabbitMqConfig> {
    Some(RabbitMqConfig { urls: vec![url], ..RabbitMqConfig::default() })
}

pub fn on_redis(servers: RedisServers) -> Option<RedisConfig> {
    Some(RedisConfig { servers, password_file: None, tls: TlsFiles::default() })
}

pub fn on_single(url: String) -> Option<RedisConfig> {
    on_redis(RedisServers::Single { url })
}

pub fn on_postgres(url: String) -> Option<Arc<dyn PostgresConnector>> {
    Some(Arc::new(Connector(url)))
}

/// Two brokers of one configuration, connected.
pub struct Two {
    pub one: Arc<ClusterBroker>,
    pub two: Arc<ClusterBroker>,
}

impl Two {
    pub async fn start(config: BrokerConfig) -> Self {
        let two = Self::begin(config);
        two.connected().await;
        two
    }

    /// Does not wait for the servers.
    pub fn begin(config: BrokerConfig) -> Self {
        let again = config.clone();
        Self { one: Arc::new(ClusterBroker::start(config)), two: Arc::new(ClusterBroker::start(again)) }
    }

    pub fn stats(&self) -> Vec<Arc<LinkStats>> {
        [self.one.stats(), self.two.stats()].concat()
    }

    pub async fn connected(&self) {
        until("all are connected", CONNECTED_WITHIN, || {
            self.stats().iter().all(|stats| stats.connected.load(Ordering::Relaxed))
        })
        .await;
    }

    pub async fn disconnected(&self) {
        until("the loss is noticed", CONNECTED_WITHIN, || {
            self.stats().iter().all(|stats| !stats.connected.load(Ordering::Relaxed))
        })
        .await;
    }

    pub fn pair(self, keep: impl std::any::Any + Send) -> Pair {
        Pair::new(self.one, self.two, keep)
    }
}

/// An event crosses from one to the other, as soon as they are connected.
pub async fn events_flow(two: &Two) {
    two.connected().await;
    let task = task();
    let mut reader = two.two.subscribe(task);
    until("the reader is known", Duration::from_secs(5), || two.one.has_readers(task)).await;
    two.one.publish(task, token(0, "again"));
    assert_eq!(*next(&mut reader).await, token(0, "again"));
}

/// An address in a database of one's own, whose notifications nobody else hears.
pub async fn database() -> String {
    postgres::database().await.unwrap().url
}
