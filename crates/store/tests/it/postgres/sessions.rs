//! What the end of a worker's session says about it.

use std::time::Duration;

use agenticai_store::postgres::{Connection, PostgresOptions, PostgresStore, schema};
use agenticai_store::{Beat, Leases, WorkerId, WorkerInfo};
use agenticai_testkit::servers::postgres::{Options, Postgres};

use super::fixture::lab;

/// A worker of a store of its own that has beaten once.
async fn worker(options: &PostgresOptions) -> (PostgresStore, WorkerId) {
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let info = WorkerInfo { name: "other".to_owned(), reads_format: 1 };
    let worker = store.register_worker(info).await.unwrap();
    beat(&store, worker).await;
    (store, worker)
}

async fn beat(store: &PostgresStore, worker: WorkerId) {
    assert!(matches!(store.beat(worker).await.unwrap(), Beat::Alive { .. }));
}

/// Whether an observer knows that a worker's session has ended.
async fn parted(observer: &PostgresStore, worker: WorkerId) -> bool {
    let observed = observer.observe_workers().await.unwrap();
    observed.into_iter().find(|other| other.worker == worker).expect("it is observed").parted
}

/// As long as nobody asks after a worker that has just beaten, and a moment more.
async fn silence() {
    tokio::time::sleep(Duration::from_millis(1_200)).await;
}

async fn soon_parted(observer: &PostgresStore, worker: WorkerId) -> bool {
    for _ in 0..100 {
        if parted(observer, worker).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn a_silent_worker_has_not_parted_until_its_session_ends() {
    let (_lab, observer, options) = lab().await;
    let (store, worker) = worker(&options).await;
    silence().await;
    assert!(!parted(&observer, worker).await, "it may be frozen: its lease decides");
    store.close();
    assert!(soon_parted(&observer, worker).await);
    let second = PostgresStore::connect(options).await.unwrap();
    assert!(parted(&second, worker).await, "whoever comes later sees it, too");
}

#[tokio::test]
async fn a_worker_that_connects_anew_has_not_parted() {
    let (_lab, observer, options) = lab().await;
    let (store, worker) = worker(&options).await;
    silence().await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let ended = Connection::open(&options).await.unwrap().rows(sql, &[]).await.unwrap();
    assert_eq!(ended.len(), 1, "the session of the heartbeats alone holds such a lock");
    assert!(soon_parted(&observer, worker).await);
    // The first statement on a connection that was cut may fail.
    let _ = store.beat(worker).await;
    beat(&store, worker).await;
    silence().await;
    assert!(!parted(&observer, worker).await);
}

#[tokio::test]
async fn behind_a_pooler_no_session_says_anything() {
    let (_lab, observer, mut options) = lab().await;
    options.unnamed_statements = true;
    let (store, worker) = worker(&options).await;
    store.close();
    silence().await;
    assert!(!parted(&observer, worker).await);
}

#[tokio::test]
async fn a_server_that_was_started_anew_has_ended_everybodys_sessions() {
    let server = Postgres::start(Options::default()).await.unwrap();
    let options = PostgresOptions::new(server.url("postgres"));
    schema::migrate(&Connection::open(&options).await.unwrap()).await.unwrap();
    let (store, worker) = worker(&options).await;
    server.process().kill_9().unwrap();
    server.restart().await.unwrap();
    let observer = PostgresStore::connect(options).await.unwrap();
    silence().await;
    assert!(!parted(&observer, worker).await);
    let _ = store.beat(worker).await;
    beat(&store, worker).await;
    store.close();
    silence().await;
    assert!(soon_parted(&observer, worker).await, "from its next beat on its session says something again");
}
