//! Which servers carry hints and live events between processes. None is needed: without them everything goes on by
//! polling, and streams are read from the journal.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use agenticai_agent::secrets::Secrets;
use agenticai_broker::postgres::{PostgresConnector, PostgresSession};
use agenticai_broker::rabbitmq::RabbitMqConfig;
use agenticai_broker::redis::{RedisConfig, RedisServers};
use agenticai_broker::{BrokerConfig, ClusterBroker, ConnectError, LinkStats, TlsFiles};
use agenticai_store::postgres::{Driver, PostgresOptions, connect};

use super::Role;
use super::database::{Purpose, options};
use crate::commands::Context;
use crate::config::{Helper, Redis, Settings};
use crate::exit::{Failure, Result};

/// Which servers the broker of a process has. A mistake in the settings is a [`crate::exit::Exit::Usage`].
pub fn config(context: &Context, role: Role) -> Result<BrokerConfig> {
    let database = options(context, Purpose::Role(role))?;
    // A pooler passes no notifications on.
    let direct = !database.unnamed_statements;
    let postgres = direct.then(|| Arc::new(Database(database)) as Arc<dyn PostgresConnector>);
    Ok(BrokerConfig { postgres, ..besides_the_database(&context.loaded.settings)? })
}

fn besides_the_database(settings: &Settings) -> Result<BrokerConfig> {
    let secrets = Secrets::new(settings.secrets_dir.clone());
    let resolve = |url: &Option<String>, setting: &str| {
        let url = url.as_ref().map(|url| secrets.resolve(url)).transpose();
        url.map_err(|error| Failure::usage(format!("{setting}: {error}")))
    };
    let wrong = |section: &'static str| move |error| Failure::usage(format!("[{section}]: {error}"));
    let rabbitmq = resolve(&settings.rabbitmq.server.url, "rabbitmq.url")?.map(|urls| RabbitMqConfig {
        urls: addresses(&urls),
        password_file: settings.rabbitmq.server.password_file.clone(),
        heartbeat_seconds: settings.rabbitmq.heartbeat_seconds,
        tls: tls(&settings.rabbitmq.server),
    });
    rabbitmq.as_ref().map_or(Ok(()), RabbitMqConfig::check).map_err(wrong("rabbitmq"))?;
    if settings.redis.sentinel_password_file.is_some() && settings.redis.sentinel_group.is_none() {
        return Err(Failure::usage(
            "redis.sentinel_password_file is of no use without redis.sentinel_group: name the group that Sentinel \
             watches, or write redis.password_file for Redis itself",
        ));
    }
    let master = resolve(&settings.redis.sentinel_master, "redis.sentinel_master")?;
    let redis = resolve(&settings.redis.server.url, "redis.url")?.map(|urls| RedisConfig {
        servers: servers(&settings.redis, addresses(&urls), master),
        password_file: settings.redis.server.password_file.clone(),
        tls: tls(&settings.redis.server),
    });
    redis.as_ref().map_or(Ok(()), RedisConfig::check).map_err(wrong("redis"))?;
    let longest_pause = settings.cluster.max_reconnect;
    Ok(BrokerConfig { rabbitmq, redis, longest_pause, ..BrokerConfig::default() })
}

/// Several addresses with commas between them: each in full, or the hosts of one address, which share its user and its
/// path, as in those of PostgreSQL.
fn addresses(text: &str) -> Vec<String> {
    if let Some((scheme, rest)) = text.trim().split_once("://")
        && !rest.contains("://")
    {
        let (servers, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (login, hosts) = servers.split_at(servers.rfind('@').map_or(0, |at| at + 1));
        return hosts.split(',').map(|host| format!("{scheme}://{login}{}{path}", host.trim())).collect();
    }
    text.split(',').map(|url| url.trim().to_owned()).collect()
}

/// One server, the sentinels of a group, or the nodes of a cluster.
fn servers(redis: &Redis, mut urls: Vec<String>, master: Option<String>) -> RedisServers {
    match &redis.sentinel_group {
        Some(group) => RedisServers::Sentinel {
            sentinels: urls,
            password_file: redis.sentinel_password_file.clone(),
            group: group.clone(),
            master: master.unwrap_or_else(|| "redis://master".to_owned()),
        },
        None if urls.len() == 1 => RedisServers::Single { url: urls.remove(0) },
        None => RedisServers::Cluster { urls },
    }
}

fn tls(helper: &Helper) -> TlsFiles {
    let identity = helper.cert_file.clone().zip(helper.key_file.clone());
    TlsFiles { authority: helper.ca_file.clone(), identity }
}

/// Connections for notifications, made like those of the store.
struct Database(PostgresOptions);

#[async_trait]
impl PostgresConnector for Database {
    async fn connect(&self) -> std::result::Result<PostgresSession, ConnectError> {
        let (client, driver) = connect(&self.0).await?;
        Ok(match driver {
            Driver::Plain(driver) => PostgresSession::drive(client, *driver),
            Driver::Tls(driver) => PostgresSession::drive(client, *driver),
        })
    }
}

/// What has passed over the broker's connections, under `/metrics`.
#[derive(Debug)]
pub struct BrokerMetrics(Vec<Arc<LinkStats>>);

impl BrokerMetrics {
    /// Those of a broker.
    pub fn of(broker: &ClusterBroker) -> Self {
        Self(broker.stats())
    }
}

impl Collector for BrokerMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> std::result::Result<(), std::fmt::Error> {
        let help = "Whether there is a connection";
        let mut metric =
            encoder.encode_descriptor("agenticai_broker_connected", help, None, MetricType::Gauge)?;
        for link in &self.0 {
            let connected = ConstGauge::new(i64::from(link.connected.load(Ordering::Relaxed)));
            connected.encode(metric.encode_family(&[("server", link.server)])?)?;
        }
        type Count = fn(&LinkStats) -> u64;
        let counters: [(&str, &str, Count); 7] = [
            ("connects", "Connections made", |link| link.connects.load(Ordering::Relaxed)),
            ("hints_sent", "Messages with hints sent", |link| link.hints_sent.load(Ordering::Relaxed)),
            ("hints_received", "Messages with hints of others", |link| {
                link.hints_received.load(Ordering::Relaxed)
            }),
            ("sent", "Other messages sent", |link| link.sent.load(Ordering::Relaxed)),
            ("received", "Other messages of others", |link| link.received.load(Ordering::Relaxed)),
            ("dropped", "Messages without room or connection", |link| link.dropped.load(Ordering::Relaxed)),
            ("ignored", "Messages that could not be understood", |link| link.ignored.load(Ordering::Relaxed)),
        ];
        for (name, help, count) in counters {
            let name = format!("agenticai_broker_{name}");
            let mut metric = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            for link in &self.0 {
                ConstCounter::new(count(link)).encode(metric.encode_family(&[("server", link.server)])?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::time::Duration;

    use super::*;
    use crate::config::{Environment, load};

    fn of(variables: &[(&str, &str)]) -> Result<BrokerConfig> {
        let mut environment = Environment::from([("HOME".to_owned(), "/home/ada".to_owned())]);
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        besides_the_database(&load(vec![], environment, None).unwrap().settings)
    }

    #[test]
    fn settings_reach_the_broker() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, "secret").unwrap();
            path
        };
        let (rabbitmq, redis, sentinel) = (file("rabbitmq"), file("redis"), file("sentinel"));
        let config = of(&[
            ("RABBITMQ_URL", "amqp://a@one, amqp://a@two"),
            ("AGENTICAI_RABBITMQ_PASSWORD_FILE", rabbitmq.to_str().unwrap()),
            ("AGENTICAI_RABBITMQ_HEARTBEAT_SECONDS", "33"),
            ("REDIS_URL", "redis://watcher@one,redis://watcher@two"),
            ("AGENTICAI_REDIS_PASSWORD_FILE", redis.to_str().unwrap()),
            ("AGENTICAI_REDIS_SENTINEL_GROUP", "group"),
            ("AGENTICAI_REDIS_SENTINEL_MASTER", "rediss://app@master"),
            ("AGENTICAI_REDIS_SENTINEL_PASSWORD_FILE", sentinel.to_str().unwrap()),
            ("AGENTICAI_CLUSTER_MAX_RECONNECT_SECONDS", "44"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.longest_pause, Duration::from_secs(44));
        let found = config.rabbitmq.unwrap();
        assert_eq!((found.urls.len(), found.password_file, found.heartbeat_seconds), (2, Some(rabbitmq), 33));
        let found = config.redis.unwrap();
        assert_eq!(found.password_file, Some(redis));
        let RedisServers::Sentinel { sentinels, password_file, group, master } = found.servers else {
            panic!("{found:?}");
        };
        assert_eq!((sentinels.len(), password_file, group.as_str()), (2, Some(sentinel), "group"));
        assert_eq!(master, "rediss://app@master");
    }

    #[test]
    fn several_hosts_share_an_address() {
        let whole = ["amqp://a@one/v", "amqps://b@two:1"];
        assert_eq!(addresses(&whole.join(", ")), whole);
        assert_eq!(addresses(" redis://cache "), ["redis://cache"]);
        assert_eq!(addresses("redis://one:1,two:2"), ["redis://one:1", "redis://two:2"]);
        assert_eq!(
            addresses("amqp://a:p%40@one,[::1]:2/v@w"),
            ["amqp://a:p%40@one/v@w", "amqp://a:p%40@[::1]:2/v@w"]
        );
    }

    #[test]
    fn a_password_of_sentinels_needs_sentinels() {
        let Err(error) = of(&[
            ("REDIS_URL", "redis://cache"),
            ("AGENTICAI_REDIS_SENTINEL_PASSWORD_FILE", "/run/secrets/password"),
        ]) else {
            panic!("it is accepted");
        };
        assert!(error.to_string().contains("redis.sentinel_group"), "{error}");
    }
}
