//! TLS with a private authority and client certificates.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_broker::TlsFiles;
use agenticai_broker::rabbitmq::RabbitMqConfig;
use agenticai_broker::redis::{RedisConfig, RedisServers};
use agenticai_testkit::broker_conformance::wake_each_other;
use agenticai_testkit::servers::rabbitmq::RabbitMq;
use agenticai_testkit::servers::redis::{Redis, RedisCluster, RedisSentinel};
use agenticai_testkit::servers::tls::Authority;
use tempfile::TempDir;

use crate::fixture::{Two, config, events_flow};

/// An authority with its files.
struct Files {
    authority: Authority,
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { authority: Authority::new().unwrap(), dir: tempfile::tempdir().unwrap() };
        files.write("ca.pem", files.authority.certificate());
        files
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What a client needs that shows no certificate.
    fn anonymous(&self) -> TlsFiles {
        TlsFiles { authority: Some(self.dir.path().join("ca.pem")), identity: None }
    }

    /// What a client needs that shows one.
    fn known(&self) -> TlsFiles {
        let client = self.authority.client("agenticai").unwrap();
        let identity = (self.write("client.pem", &client.certificate), self.write("client.key", &client.key));
        TlsFiles { identity: Some(identity), ..self.anonymous() }
    }
}

async fn on_rabbitmq(url: String, tls: TlsFiles) -> Two {
    let mut config = config();
    config.rabbitmq = Some(RabbitMqConfig { urls: vec![url], tls, ..RabbitMqConfig::default() });
    Two::begin(config)
}

async fn on_redis(servers: RedisServers, tls: TlsFiles) -> Two {
    let mut config = config();
    config.redis = Some(RedisConfig { servers, password_file: None, tls });
    Two::begin(config)
}

async fn is_refused(two: &Two) {
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(two.stats().iter().all(|stats| stats.connects.load(Ordering::Relaxed) == 0), "it is let in");
}

#[tokio::test]
async fn rabbitmq_knows_its_clients_by_certificate() {
    let files = Files::new();
    let server = RabbitMq::start_tls(&files.authority, true).await.unwrap();
    let url = server.tls_url().unwrap();
    let two = on_rabbitmq(url.clone(), files.known()).await;
    two.connected().await;
    wake_each_other(&*two.one, &*two.two).await;
    is_refused(&on_rabbitmq(url.clone(), files.anonymous()).await).await;
    is_refused(&on_rabbitmq(url, Files::new().known()).await).await;
}

#[tokio::test]
async fn redis_shows_a_certificate_of_the_authority() {
    let files = Files::new();
    let server = Redis::start_tls(&files.authority).await.unwrap();
    let single = || RedisServers::Single { url: server.url() };
    events_flow(&on_redis(single(), files.anonymous()).await).await;
    events_flow(&on_redis(single(), files.known()).await).await;
    let stranger = Files::new();
    is_refused(&on_redis(single(), stranger.anonymous()).await).await;
}

#[tokio::test]
async fn sentinels_and_master_speak_tls() {
    let files = Files::new();
    let group = RedisSentinel::start(Some(&files.authority)).await.unwrap();
    let servers = RedisServers::Sentinel {
        sentinels: group.sentinel_urls(),
        password_file: None,
        group: group.name().to_owned(),
        master: "rediss://master".to_owned(),
    };
    events_flow(&on_redis(servers, files.anonymous()).await).await;
}

#[tokio::test]
async fn a_cluster_speaks_tls() {
    let files = Files::new();
    let cluster = RedisCluster::start(Some(&files.authority)).await.unwrap();
    let servers = RedisServers::Cluster { urls: cluster.urls() };
    events_flow(&on_redis(servers, files.known()).await).await;
}
