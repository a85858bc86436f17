//! Servers that die, freeze, come late and come back: callers notice nothing, and messages flow again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_broker::redis::RedisServers;
use agenticai_broker::{Broker, BrokerConfig, Poke};
use agenticai_testkit::broker_conformance::{next, task, token, until, wake_each_other};
use agenticai_testkit::servers::postgres::{Options, Postgres};
use agenticai_testkit::servers::process::Process;
use agenticai_testkit::servers::proxy::Proxy;
use agenticai_testkit::servers::rabbitmq::RabbitMq;
use agenticai_testkit::servers::redis::{Redis, RedisCluster, RedisSentinel};
use tokio::time::Instant;

use crate::fixture::{
    Two, config, database, events_flow, on_postgres, on_rabbitmq, on_redis, on_single, rabbitmq, redis,
};

/// Calls everything that sends, in plenty, as a process does that knows nothing of the outage.
fn call(broker: &dyn Broker) {
    let (task, began) = (task(), Instant::now());
    for number in 0..10_000 {
        broker.hint();
        broker.publish(task, token(number, "x"));
        broker.has_readers(task);
        broker.poke(Poke::Inbox(task));
        drop(broker.subscribe(task));
    }
    assert!(began.elapsed() < Duration::from_secs(2), "callers wait: {:?}", began.elapsed());
}

async fn hints_flow(two: &Two) {
    wake_each_other(&*two.one, &*two.two).await;
}

async fn pokes_flow(two: &Two) {
    let mut pokes = two.two.pokes();
    let (poke, began) = (Poke::Ended(task()), Instant::now());
    loop {
        two.one.poke(poke);
        tokio::time::sleep(Duration::from_millis(100)).await;
        while let Ok(heard) = pokes.try_recv() {
            if heard == poke {
                return;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(20), "no poke crosses");
    }
}

/// Kills a server under two brokers, lets them call on, starts it again.
async fn killed_and_restarted(
    two: &Two,
    process: &Process,
    restart: impl AsyncFnOnce() -> anyhow::Result<()>,
) {
    process.kill_9().unwrap();
    two.disconnected().await;
    call(&*two.one);
    restart().await.unwrap();
    two.connected().await;
    for stats in two.stats() {
        assert_eq!(stats.connects.load(Ordering::Relaxed), 2, "{}", stats.server);
    }
}

#[tokio::test]
async fn rabbitmq_dies_and_comes_back() {
    let server = RabbitMq::start().await.unwrap();
    let mut config = config();
    config.rabbitmq = on_rabbitmq(server.url());
    let two = Two::start(config).await;
    hints_flow(&two).await;
    killed_and_restarted(&two, server.process(), async || server.restart().await).await;
    hints_flow(&two).await;
}

#[tokio::test]
async fn redis_dies_and_comes_back() {
    let server = Redis::start().await.unwrap();
    let mut config = config();
    config.redis = on_single(server.url());
    let two = Two::start(config).await;
    let read_before = task();
    let mut reader = two.two.subscribe(read_before);
    events_flow(&two).await;
    pokes_flow(&two).await;
    killed_and_restarted(&two, server.process(), async || server.restart().await).await;
    events_flow(&two).await;
    pokes_flow(&two).await;
    // A reader from before the outage is announced again.
    until("the reader is known", Duration::from_secs(5), || two.one.has_readers(read_before)).await;
    two.one.publish(read_before, token(0, "still"));
    assert_eq!(*next(&mut reader).await, token(0, "still"));
}

#[tokio::test]
async fn postgres_dies_and_comes_back() {
    let server = Postgres::start(Options::default()).await.unwrap();
    let mut config = config();
    config.postgres = on_postgres(server.url("postgres"));
    let two = Two::start(config).await;
    hints_flow(&two).await;
    pokes_flow(&two).await;
    killed_and_restarted(&two, server.process(), async || server.restart().await).await;
    hints_flow(&two).await;
    pokes_flow(&two).await;
}

/// A reconnected worker looks for work: what was hinted at meanwhile is unknown.
#[tokio::test]
async fn a_new_connection_counts_as_a_hint() {
    let proxy = Proxy::start(rabbitmq().await.port()).await.unwrap();
    let mut config = config();
    config.rabbitmq = on_rabbitmq(format!("amqp://127.0.0.1:{}", proxy.port()));
    let two = Two::start(config).await;
    hints_flow(&two).await;
    proxy.cut();
    tokio::time::timeout(Duration::from_secs(10), two.two.hinted())
        .await
        .expect("no hint after a new connection");
}

/// A network that loses everything ends no connection: only unanswered questions tell.
async fn stalled_and_resumed(proxy: &Proxy, config: BrokerConfig) -> Two {
    let two = Two::start(config).await;
    proxy.stall();
    call(&*two.one);
    two.disconnected().await;
    call(&*two.one);
    proxy.resume();
    two.connected().await;
    two
}

#[tokio::test]
async fn a_stalled_rabbitmq_is_given_up_and_found_again() {
    let proxy = Proxy::start(rabbitmq().await.port()).await.unwrap();
    let mut config = config();
    config.rabbitmq = on_rabbitmq(format!("amqp://127.0.0.1:{}", proxy.port()));
    hints_flow(&stalled_and_resumed(&proxy, config).await).await;
}

#[tokio::test]
async fn a_stalled_redis_is_given_up_and_found_again() {
    let proxy = Proxy::start(redis().await.port()).await.unwrap();
    let mut config = config();
    config.redis = on_single(format!("redis://127.0.0.1:{}", proxy.port()));
    let two = stalled_and_resumed(&proxy, config).await;
    events_flow(&two).await;
    pokes_flow(&two).await;
}

#[tokio::test]
async fn a_stalled_postgres_is_given_up_and_found_again() {
    let url = database().await;
    let port = agenticai_testkit::servers::postgres::shared().await.unwrap().port();
    let proxy = Proxy::start(port).await.unwrap();
    let mut config = config();
    config.postgres = on_postgres(url.replace(&port.to_string(), &proxy.port().to_string()));
    let two = stalled_and_resumed(&proxy, config).await;
    hints_flow(&two).await;
    pokes_flow(&two).await;
}

/// Processes start in any order.
#[tokio::test]
async fn servers_may_come_later_than_the_process() {
    let proxies = [
        Proxy::start(rabbitmq().await.port()).await.unwrap(),
        Proxy::start(redis().await.port()).await.unwrap(),
    ];
    proxies.iter().for_each(Proxy::refuse);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut config = config();
    config.rabbitmq = on_rabbitmq(format!("amqp://127.0.0.1:{}", proxies[0].port()));
    config.redis = on_single(format!("redis://127.0.0.1:{}", proxies[1].port()));
    let two = Two::begin(config);
    tokio::time::sleep(Duration::from_millis(500)).await;
    call(&*two.one);
    two.disconnected().await;
    proxies.iter().for_each(Proxy::resume);
    two.connected().await;
    hints_flow(&two).await;
    events_flow(&two).await;
}

/// While RabbitMQ is away, hints take the way over the database.
#[tokio::test]
async fn postgres_stands_in_for_the_others() {
    let proxies = [
        Proxy::start(rabbitmq().await.port()).await.unwrap(),
        Proxy::start(redis().await.port()).await.unwrap(),
    ];
    let mut config = config();
    config.rabbitmq = on_rabbitmq(format!("amqp://127.0.0.1:{}", proxies[0].port()));
    config.redis = on_single(format!("redis://127.0.0.1:{}", proxies[1].port()));
    config.postgres = on_postgres(database().await);
    let two = Two::start(config).await;
    hints_flow(&two).await;
    proxies.iter().for_each(Proxy::refuse);
    let away = |server: &'static str| {
        two.stats().iter().all(|stats| stats.server != server || !stats.connected.load(Ordering::Relaxed))
    };
    until("the loss is noticed", Duration::from_secs(10), || away("rabbitmq") && away("redis")).await;
    hints_flow(&two).await;
    pokes_flow(&two).await;
}

#[tokio::test]
async fn the_new_master_is_found() {
    let group = RedisSentinel::start(None).await.unwrap();
    let mut config = config();
    config.redis = on_redis(RedisServers::Sentinel {
        sentinels: group.sentinel_urls(),
        password_file: None,
        group: group.name().to_owned(),
        master: "redis://master".to_owned(),
    });
    let two = Two::start(config).await;
    events_flow(&two).await;
    group.first_master().kill_9().unwrap();
    two.disconnected().await;
    call(&*two.one);
    group.failed_over().await.unwrap();
    two.connected().await;
    events_flow(&two).await;
    pokes_flow(&two).await;
}

#[tokio::test]
async fn another_node_of_the_cluster_is_used() {
    let cluster = RedisCluster::start(None).await.unwrap();
    let mut config = config();
    config.redis = on_redis(RedisServers::Cluster { urls: cluster.urls() });
    let two = Two::start(config).await;
    events_flow(&two).await;
    cluster.process(0).kill_9().unwrap();
    let connected_again = || two.stats().iter().all(|stats| stats.connects.load(Ordering::Relaxed) == 2);
    until("another node is used", Duration::from_secs(20), connected_again).await;
    events_flow(&two).await;
    pokes_flow(&two).await;
}
