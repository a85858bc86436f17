//! What RabbitMQ is used for: a hint wakes one worker that has time for it, and dead letters stay.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_broker::{Broker, BrokerConfig, ClusterBroker, DeadLetter};
use agenticai_domain::ids::TenantId;
use agenticai_testkit::broker_conformance::{drain_hints, task, until, wake_each_other};
use agenticai_testkit::servers::rabbitmq::RabbitMq;
use amqprs::channel::BasicGetArguments;
use amqprs::connection::{Connection, OpenConnectionArguments};
use tokio::time::timeout;
use uuid::Uuid;

use crate::fixture::{Two, config, on_rabbitmq, rabbitmq};

async fn third(namespace: &str) -> Arc<ClusterBroker> {
    let rabbitmq = on_rabbitmq(rabbitmq().await.url());
    let config = BrokerConfig { namespace: namespace.to_owned(), rabbitmq, ..Default::default() };
    let broker = Arc::new(ClusterBroker::start(config));
    let stats = broker.stats();
    until("it is connected", Duration::from_secs(10), || stats[0].connected.load(Ordering::Relaxed)).await;
    broker
}

/// A worker whose places are all taken lets hints pass to one that waits.
#[tokio::test]
async fn a_busy_worker_passes_hints_on() {
    let mut config = config();
    config.rabbitmq = on_rabbitmq(rabbitmq().await.url());
    let namespace = config.namespace.clone();
    let two = Two::start(config).await;
    let busy = third(&namespace).await;
    // Both have waited once, so both are told of hints; from now on only one waits.
    wake_each_other(&*two.one, &*busy).await;
    wake_each_other(&*two.one, &*two.two).await;
    for _ in 0..5 {
        let waiting = timeout(Duration::from_millis(400), two.two.hinted());
        let hinting = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            two.one.hint();
        };
        let (heard, ()) = tokio::join!(waiting, hinting);
        heard.expect("a hint stays with a worker that has no use for it");
    }
}

/// A process without a worker takes no hints from those with one.
#[tokio::test]
async fn a_process_that_waits_for_no_hints_takes_none() {
    let mut config = config();
    config.rabbitmq = on_rabbitmq(rabbitmq().await.url());
    let namespace = config.namespace.clone();
    let two = Two::start(config).await;
    let api = third(&namespace).await;
    wake_each_other(&*two.one, &*two.two).await;
    assert_eq!(api.stats()[0].hints_received.load(Ordering::Relaxed), 0);
}

/// What is hinted within one process wakes its own worker and troubles no server.
#[tokio::test]
async fn a_worker_that_waits_here_is_enough() {
    let mut config = config();
    config.rabbitmq = on_rabbitmq(rabbitmq().await.url());
    let two = Two::start(config).await;
    // The connection itself counted as a hint.
    drain_hints(&*two.one).await;
    for _ in 0..10 {
        let waiting = timeout(Duration::from_secs(5), two.one.hinted());
        let hinting = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            two.one.hint();
        };
        tokio::join!(waiting, hinting).0.expect("the hint is lost");
    }
    assert_eq!(two.one.stats()[0].hints_sent.load(Ordering::Relaxed), 0);
}

async fn take(server: &RabbitMq, queue: &str) -> Option<DeadLetter> {
    let args = OpenConnectionArguments::new("127.0.0.1", server.port(), "guest", "guest");
    let connection = Connection::open(&args).await.unwrap();
    let channel = connection.open_channel(None).await.unwrap();
    let got = channel.basic_get(BasicGetArguments::new(queue).no_ack(true).finish()).await.unwrap();
    got.map(|(_, _, body)| serde_json::from_slice(&body).unwrap())
}

async fn take_soon(server: &RabbitMq, queue: &str) -> DeadLetter {
    for _ in 0..100 {
        if let Some(letter) = take(server, queue).await {
            return letter;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no dead letter arrives in {queue}");
}

fn letter(code: &str) -> DeadLetter {
    DeadLetter {
        task: task(),
        tenant: TenantId(Uuid::now_v7()),
        code: code.to_owned(),
        at: 1_700_000_000_000,
    }
}

/// Operators find dead letters after the server has died, and those that were written while it was away.
#[tokio::test]
async fn dead_letters_stay() {
    let server = RabbitMq::start().await.unwrap();
    let mut config = config();
    config.rabbitmq = on_rabbitmq(server.url());
    let queue = format!("{}.dead", config.namespace);
    let two = Two::start(config).await;
    let (before, during) = (letter("poison"), letter("poison_again"));
    two.one.dead(before.clone());
    let sent = || two.one.stats()[0].sent.load(Ordering::Relaxed) == 1;
    until("it is sent", Duration::from_secs(5), sent).await;
    // A quorum queue has it on the disk in a moment.
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.process().kill_9().unwrap();
    two.disconnected().await;
    two.one.dead(during.clone());
    server.restart().await.unwrap();
    assert_eq!(take_soon(&server, &queue).await, before);
    assert_eq!(take_soon(&server, &queue).await, during);
}
