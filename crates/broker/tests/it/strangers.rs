//! Messages that nobody of us sent, of another version, or about tasks that nobody knows: ignored, and counted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_broker::{Broker, Poke};
use agenticai_testkit::broker_conformance::{next, task, token, until, wake_each_other};
use amqprs::BasicProperties;
use amqprs::channel::BasicPublishArguments;
use amqprs::connection::{Connection, OpenConnectionArguments};
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::fixture::{Two, config, database, on_postgres, on_rabbitmq, on_single, rabbitmq, redis};

/// No message of this release.
fn garbage() -> Vec<String> {
    let someone = Uuid::new_v4();
    vec![
        "\u{1}not json".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        "[[[[[[[[".to_owned(),
        format!(r#"{{"v":2,"from":"{someone}","message":"hint"}}"#),
        format!(r#"{{"v":1,"from":"{someone}","message":{{"pokes":[{{"inbox":7}}]}}}}"#),
        format!(r#"{{"v":1,"from":"nobody","message":"hint"}}"#),
        format!(
            r#"{{"v":1,"from":"{someone}","message":{{"live":[["{someone}",[{{"appended":{{"last_seq":-1}}}}]]]}}}}"#
        ),
    ]
}

async fn ignored(two: &Two) {
    let all = || two.two.stats()[0].ignored.load(Ordering::Relaxed) >= garbage().len() as u64;
    until("garbage is counted", Duration::from_secs(10), all).await;
}

#[tokio::test]
async fn garbage_in_redis_is_ignored() {
    let mut config = config();
    config.redis = on_single(redis().await.url());
    let (all, pokes) = (format!("{}.all", config.namespace), format!("{}.pokes", config.namespace));
    let two = Two::start(config).await;
    let mut heard = two.two.pokes();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for text in garbage() {
        redis().await.cli(&["PUBLISH", &all, &text]).unwrap();
        redis().await.cli(&["PUBLISH", &pokes, &text]).unwrap();
    }
    ignored(&two).await;
    let task = task();
    let mut reader = two.two.subscribe(task);
    until("the reader is known", Duration::from_secs(5), || two.one.has_readers(task)).await;
    two.one.publish(task, token(0, "sense"));
    two.one.poke(Poke::Inbox(task));
    assert_eq!(*next(&mut reader).await, token(0, "sense"));
    assert_eq!(next(&mut heard).await, Poke::Inbox(task));
}

#[tokio::test]
async fn garbage_in_notifications_is_ignored() {
    let mut config = config();
    let url = database().await;
    config.postgres = on_postgres(url.clone());
    let namespace = config.namespace.clone();
    let two = Two::start(config).await;
    wake_each_other(&*two.one, &*two.two).await;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    for text in garbage() {
        let channel = format!("{namespace}.hints");
        client.execute("SELECT pg_notify($1, $2)", &[&channel, &text]).await.unwrap();
    }
    ignored(&two).await;
    wake_each_other(&*two.one, &*two.two).await;
}

#[tokio::test]
async fn garbage_in_the_queue_is_ignored() {
    let mut config = config();
    config.rabbitmq = on_rabbitmq(rabbitmq().await.url());
    let queue = format!("{}.hints", config.namespace);
    let two = Two::start(config).await;
    wake_each_other(&*two.one, &*two.two).await;
    let args = OpenConnectionArguments::new("127.0.0.1", rabbitmq().await.port(), "guest", "guest");
    let connection = Connection::open(&args).await.unwrap();
    let channel = connection.open_channel(None).await.unwrap();
    for text in garbage() {
        let to = BasicPublishArguments::new("", &queue);
        channel.basic_publish(BasicProperties::default(), text.into(), to).await.unwrap();
    }
    ignored(&two).await;
    wake_each_other(&*two.one, &*two.two).await;
}

/// The sender names a process that has long gone, and a task that nobody here has: nothing comes of it.
#[tokio::test]
async fn news_of_unknown_tasks_is_nobodys_business() {
    let mut config = config();
    config.redis = on_single(redis().await.url());
    let pokes = format!("{}.pokes", config.namespace);
    let two = Two::start(config).await;
    let mut heard = two.two.pokes();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (unknown, someone) = (task(), Uuid::new_v4());
    let text = format!(r#"{{"v":1,"from":"{someone}","message":{{"pokes":[{{"ended":"{unknown}"}}]}}}}"#);
    // Twice: whoever holds tasks looks up the id, finds nothing, and goes on.
    for _ in 0..2 {
        redis().await.cli(&["PUBLISH", &pokes, &text]).unwrap();
        assert_eq!(next(&mut heard).await, Poke::Ended(unknown));
    }
    assert!(!two.two.has_readers(unknown));
}
