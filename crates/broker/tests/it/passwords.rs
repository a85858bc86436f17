//! Passwords in files: they are read for each connection, so that they may be replaced without a restart.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_broker::rabbitmq::RabbitMqConfig;
use agenticai_broker::redis::{RedisConfig, RedisServers};
use agenticai_testkit::broker_conformance::wake_each_other;
use agenticai_testkit::servers::proxy::Proxy;
use agenticai_testkit::servers::rabbitmq::RabbitMq;
use agenticai_testkit::servers::redis::{Redis, RedisCluster, RedisSentinel};

use crate::fixture::{Two, config, events_flow, on_redis, on_single};

/// Passwords with characters that mean something in addresses.
const FIRST: &str = "f:r/s@t%41?#";
const SECOND: &str = "s e+c&o=n[d]";

/// A password in a file.
struct Secret {
    dir: tempfile::TempDir,
}

impl Secret {
    fn new(password: &str) -> Self {
        let secret = Self { dir: tempfile::tempdir().unwrap() };
        secret.write(password);
        secret
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("password")
    }

    fn write(&self, password: &str) {
        std::fs::write(self.path(), format!("{password}\n")).unwrap();
    }
}

/// The password is another one at the server, and the connections have ended: they come back once the file says so, and
/// a file that cannot be read meanwhile is an outage like any other.
async fn come_back_with(secret: &Secret, password: &str, two: &Two) {
    two.disconnected().await;
    std::fs::remove_file(secret.path()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(two.stats().iter().all(|stats| stats.connects.load(Ordering::Relaxed) == 1), "it is let in");
    secret.write(password);
    two.connected().await;
}

#[tokio::test]
async fn the_password_of_rabbitmq_is_rotated() {
    let server = RabbitMq::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await.unwrap();
    server.ctl(&["change_password", "guest", FIRST]).unwrap();
    let secret = Secret::new(FIRST);
    let mut config = config();
    config.rabbitmq = Some(RabbitMqConfig {
        urls: vec![format!("amqp://guest@127.0.0.1:{}", proxy.port())],
        password_file: Some(secret.path()),
        ..RabbitMqConfig::default()
    });
    let two = Two::start(config).await;
    wake_each_other(&*two.one, &*two.two).await;
    server.ctl(&["change_password", "guest", SECOND]).unwrap();
    proxy.cut();
    come_back_with(&secret, SECOND, &two).await;
    wake_each_other(&*two.one, &*two.two).await;
}

/// What makes a user of Redis, or gives it another password.
fn user<'a>(name: &'a str, password: &'a str) -> [&'a str; 6] {
    ["ACL", "SETUSER", name, "resetpass", "on", password]
}

/// Everything that a user may do that has no rights otherwise.
const RIGHTS: [&str; 2] = ["&*", "+@all"];

fn with_file(mut config: RedisConfig, secret: &Secret) -> Option<RedisConfig> {
    config.password_file = Some(secret.path());
    Some(config)
}

#[tokio::test]
async fn the_password_of_a_user_of_redis_is_rotated() {
    let server = Redis::start().await.unwrap();
    let set = |password: &str| {
        let new = format!(">{password}");
        server.cli(&[&user("app", &new)[..], &RIGHTS].concat()).unwrap();
    };
    set(FIRST);
    let secret = Secret::new(FIRST);
    let mut config = config();
    config.redis = with_file(on_single(format!("redis://app@127.0.0.1:{}", server.port())).unwrap(), &secret);
    let two = Two::start(config).await;
    events_flow(&two).await;
    set(SECOND);
    server.cli(&["CLIENT", "KILL", "USER", "app"]).unwrap();
    come_back_with(&secret, SECOND, &two).await;
    events_flow(&two).await;
}

/// An address without a user: the server has one password for all.
#[tokio::test]
async fn the_password_of_redis_is_rotated() {
    let server = Redis::start().await.unwrap();
    server.cli(&["CONFIG", "SET", "requirepass", FIRST]).unwrap();
    let secret = Secret::new(FIRST);
    let mut config = config();
    config.redis = with_file(on_single(server.url()).unwrap(), &secret);
    let two = Two::start(config).await;
    events_flow(&two).await;
    server.cli(&["-a", FIRST, "CONFIG", "SET", "requirepass", SECOND]).unwrap();
    server.cli(&["-a", SECOND, "CLIENT", "KILL", "USER", "default"]).unwrap();
    come_back_with(&secret, SECOND, &two).await;
    events_flow(&two).await;
}

/// The sentinels have a password of their own, and the master another.
#[tokio::test]
async fn the_passwords_of_sentinels_and_master_are_rotated() {
    let group = RedisSentinel::start(None).await.unwrap();
    let set = |password: &str| {
        let (node, sentinel) = (format!(">{password}"), format!(">sentinel's {password}"));
        group.cli_servers(&[&user("app", &node)[..], &RIGHTS].concat()).unwrap();
        group.cli_sentinels(&[&user("watcher", &sentinel)[..], &RIGHTS].concat()).unwrap();
    };
    set(FIRST);
    let (secret, sentinels) = (Secret::new(FIRST), Secret::new(&format!("sentinel's {FIRST}")));
    let mut config = config();
    let urls = group.sentinel_urls();
    let servers = RedisServers::Sentinel {
        sentinels: urls.iter().map(|url| url.replace("redis://", "redis://watcher@")).collect(),
        password_file: Some(sentinels.path()),
        group: group.name().to_owned(),
        master: "redis://app@master".to_owned(),
    };
    config.redis = with_file(on_redis(servers).unwrap(), &secret);
    let two = Two::start(config).await;
    events_flow(&two).await;
    set(SECOND);
    sentinels.write(&format!("sentinel's {SECOND}"));
    group.cli_servers(&["CLIENT", "KILL", "USER", "app"]).unwrap();
    come_back_with(&secret, SECOND, &two).await;
    events_flow(&two).await;
}

#[tokio::test]
async fn the_password_of_a_cluster_is_rotated() {
    let cluster = RedisCluster::start(None).await.unwrap();
    let set = |password: &str| {
        let new = format!(">{password}");
        cluster.cli(&[&user("app", &new)[..], &RIGHTS].concat()).unwrap();
    };
    set(FIRST);
    let secret = Secret::new(FIRST);
    let mut config = config();
    let urls = cluster.urls().iter().map(|url| url.replace("redis://", "redis://app@")).collect();
    config.redis = with_file(on_redis(RedisServers::Cluster { urls }).unwrap(), &secret);
    let two = Two::start(config).await;
    events_flow(&two).await;
    set(SECOND);
    cluster.cli(&["CLIENT", "KILL", "USER", "app"]).unwrap();
    come_back_with(&secret, SECOND, &two).await;
    events_flow(&two).await;
}

/// What no later try would mend is found before the first.
#[tokio::test]
async fn two_passwords_and_a_missing_file_are_mistakes() {
    let secret = Secret::new(FIRST);
    let rabbitmq = |url: &str, file| {
        let config = RabbitMqConfig { urls: vec![url.to_owned()], password_file: file, ..Default::default() };
        config.check().map_err(|error| error.to_string())
    };
    rabbitmq("amqp://app@mq", Some(secret.path())).unwrap();
    rabbitmq("amqp://app:planted@mq", None).unwrap();
    let redis = |servers, file| {
        let config = RedisConfig { password_file: file, ..on_redis(servers).unwrap() };
        config.check().map_err(|error| error.to_string())
    };
    let single = |url: &str| RedisServers::Single { url: url.to_owned() };
    let sentinel = |url: &str, master: &str| RedisServers::Sentinel {
        sentinels: vec![url.to_owned()],
        password_file: Some(secret.path()),
        group: "agenticai".to_owned(),
        master: master.to_owned(),
    };
    redis(single("redis://cache"), Some(secret.path())).unwrap();
    // The sentinels' password is not the master's.
    redis(sentinel("redis://sentinel", "redis://:planted@master"), None).unwrap();
    let mistakes = [
        (rabbitmq("amqp://app:planted@mq", Some(secret.path())), "leave one of them out"),
        (rabbitmq("amqp://app@mq", Some("/no/such/file".into())), "/no/such/file cannot be read"),
        (rabbitmq("mq", None), "is no URL"),
        (redis(RedisServers::Cluster { urls: vec!["redis://a:1".into(), "b:2".into()] }, None), "write each"),
        (redis(single("redis://:planted@cache"), Some(secret.path())), "leave one of them out"),
        (redis(single("redis://cache"), Some("/no/such/file".into())), "/no/such/file cannot be read"),
        (redis(sentinel("redis://:planted@sentinel", "redis://master"), None), "of a sentinel"),
        (
            redis(sentinel("redis://sentinel", "redis://:planted@master"), Some(secret.path())),
            "of the master",
        ),
    ];
    for (found, part) in mistakes {
        let found = found.unwrap_err();
        assert!(found.contains(part) && !found.contains("planted"), "`{part}` is missing in: {found}");
    }
}
