//! The fixtures of real servers: they start, die, freeze and come back.

use std::time::Duration;

use agenticai_testkit::servers::postgres::{self, Options, Postgres};
use agenticai_testkit::servers::proxy::Proxy;
use agenticai_testkit::servers::rabbitmq::RabbitMq;
use agenticai_testkit::servers::redis::{Redis, RedisCluster, RedisSentinel};
use agenticai_testkit::servers::tls::Authority;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn number(client: &Client, sql: &str) -> anyhow::Result<i32> {
    Ok(client.query_one(sql, &[]).await?.get(0))
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, two) = (postgres::database().await.unwrap(), postgres::database().await.unwrap());
    let client = connect(&one.url).await.unwrap();
    client.batch_execute("CREATE TABLE mine (n int)").await.unwrap();
    let other = connect(&two.url).await.unwrap();
    assert!(other.batch_execute("SELECT FROM mine").await.is_err(), "the databases are one");
}

#[tokio::test]
async fn postgres_keeps_what_it_committed_through_kill_9() {
    let server = Postgres::start(Options::default()).await.unwrap();
    let client = connect(&server.url("postgres")).await.unwrap();
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)").await.unwrap();
    assert!(server.process().pids().len() > 3, "the processes of a server are not found");
    server.process().kill_9().unwrap();
    assert!(number(&client, "SELECT 1").await.is_err(), "a killed server answers");
    server.restart().await.unwrap();
    let client = connect(&server.url("postgres")).await.unwrap();
    assert_eq!(number(&client, "SELECT n FROM kept").await.unwrap(), 7);
}

#[tokio::test]
async fn a_frozen_server_answers_when_it_is_thawed() {
    let server = Postgres::start(Options::default()).await.unwrap();
    let client = connect(&server.url("postgres")).await.unwrap();
    server.process().freeze();
    let answer = number(&client, "SELECT 1");
    tokio::pin!(answer);
    assert!(timeout(Duration::from_millis(300), &mut answer).await.is_err(), "a frozen server answers");
    server.process().thaw();
    assert_eq!(answer.await.unwrap(), 1);
}

#[tokio::test]
async fn the_proxy_cuts_refuses_stalls_and_resumes() {
    let database = postgres::database().await.unwrap();
    let port = postgres::shared().await.unwrap().port();
    let proxy = Proxy::start(port).await.unwrap();
    let url = database.url.replace(&port.to_string(), &proxy.port().to_string());
    let client = connect(&url).await.unwrap();
    assert_eq!(number(&client, "SELECT 1").await.unwrap(), 1);

    proxy.stall();
    let answer = number(&client, "SELECT 2");
    tokio::pin!(answer);
    assert!(timeout(Duration::from_millis(300), &mut answer).await.is_err(), "a stalled proxy forwards");
    proxy.resume();
    assert_eq!(answer.await.unwrap(), 2);

    proxy.cut();
    assert!(number(&client, "SELECT 3").await.is_err(), "a cut connection answers");
    let client = connect(&url).await.unwrap();
    assert_eq!(number(&client, "SELECT 3").await.unwrap(), 3);

    proxy.refuse();
    assert!(number(&client, "SELECT 4").await.is_err(), "a refused connection answers");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(connect(&url).await.is_err(), "a new connection is not refused");
    proxy.resume();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(number(&connect(&url).await.unwrap(), "SELECT 4").await.unwrap(), 4);
}

#[tokio::test]
async fn rabbitmq_comes_back_on_its_port_after_kill_9() {
    let server = RabbitMq::start_tls(&Authority::new().unwrap(), true).await.unwrap();
    server.process().kill_9().unwrap();
    server.restart().await.unwrap();
}

#[tokio::test]
async fn redis_comes_back_on_its_port_after_kill_9() {
    for authority in [None, Some(Authority::new().unwrap())] {
        let server = match &authority {
            Some(authority) => Redis::start_tls(authority).await.unwrap(),
            None => Redis::start().await.unwrap(),
        };
        server.process().kill_9().unwrap();
        assert!(server.cli(&["PING"]).is_err(), "a killed server answers");
        server.restart().await.unwrap();
        assert_eq!(server.cli(&["PING"]).unwrap(), "PONG");
    }
}

#[tokio::test]
async fn sentinels_replace_a_killed_master() {
    let group = RedisSentinel::start(None).await.unwrap();
    group.first_master().kill_9().unwrap();
    group.failed_over().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_six_nodes_is_joined() {
    let cluster = RedisCluster::start(None).await.unwrap();
    assert_eq!(cluster.urls().len(), 6);
}
