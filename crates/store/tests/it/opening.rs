//! Opening, closing and opening again.

use agenticai_domain::task::TaskStatus;
use agenticai_store::sqlite::{OpenError, SqliteOptions, SqliteStore};
use agenticai_store::{AppendOutcome, Beat, Leases, StoreError, Tasks};
use agenticai_testkit::conformance::lab::{RunExt, entry, run, wait};
use rusqlite::Connection;

use crate::fixture::lab;

fn open(dir: &std::path::Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(SqliteOptions::new(dir))
}

/// What every connection says of itself, not what we told it.
#[tokio::test]
async fn every_connection_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions { read_connections: 3, ..SqliteOptions::new(dir.path()) };
    let store = SqliteStore::open(options).unwrap();
    let pragmas = store.pragmas();
    let names: Vec<&str> = pragmas.iter().map(|pragmas| pragmas.connection.as_str()).collect();
    assert_eq!(names, ["writer", "checkpoint", "reader", "reader", "reader"]);
    for pragmas in &pragmas {
        assert_eq!(pragmas.journal_mode, "wal", "{pragmas:?}");
        assert_eq!(pragmas.synchronous, 2, "FULL: {pragmas:?}");
        assert_eq!((pragmas.fullfsync, pragmas.checkpoint_fullfsync), (1, 1), "{pragmas:?}");
        assert_eq!(pragmas.foreign_keys, 1, "{pragmas:?}");
        assert_eq!(pragmas.wal_autocheckpoint, 0, "{pragmas:?}");
        assert_eq!(pragmas.mmap_size, 0, "{pragmas:?}");
        assert!(pragmas.busy_timeout >= 1_000 && pragmas.journal_size_limit > 0 && pragmas.cache_size < 0);
        assert_eq!(pragmas.query_only, i64::from(pragmas.connection == "reader"), "{pragmas:?}");
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_closed() {
    let (lab, store, dir) = lab().await;
    assert!(matches!(open(&dir), Err(OpenError::Locked { .. })));
    store.close().await.unwrap();
    let second = open(&dir).unwrap();
    assert!(lab.store.now().await.is_ok(), "the clock needs no file");
    let late = lab.store.task(lab.tenant, lab.new_task().id).await;
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
    let late = lab.store.backlog().await;
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
    second.close().await.unwrap();
}

/// A restart owns the tasks of its predecessor at once; waits and what is committed are as they were.
#[tokio::test]
async fn a_restart_takes_everything_over() {
    let (lab, store, dir) = lab().await;
    let (worker, running) = lab.running().await;
    lab.accept(worker, run(&running, 1, vec![entry("committed")])).await;
    lab.create(lab.new_task()).await;
    let waiting = lab.claim_one(worker).await;
    lab.accept(worker, run(&waiting, 1, vec![entry("a")]).then(wait(0, None))).await;
    let before = lab.store.now().await.unwrap();
    store.close().await.unwrap();

    let store = open(&dir).unwrap();
    assert_eq!(store.beat(worker).await.unwrap(), Beat::Dead);
    assert!(store.observe_workers().await.unwrap().is_empty());
    assert!(store.now().await.unwrap() >= before);
    let heir = store
        .register_worker(agenticai_store::WorkerInfo { name: "heir".to_owned(), reads_format: 1 })
        .await
        .unwrap();
    assert_ne!(heir, worker);
    let claimed = store.claim(heir, 10.into()).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].head.id, claimed[0].last_seq), (running.head.id, 1));
    assert!(claimed[0].epoch > running.epoch);
    let stale = run(&running, 2, vec![entry("stale")]);
    assert_eq!(
        agenticai_store::Journal::append(&store, worker, vec![stale]).await.unwrap(),
        [AppendOutcome::Fenced]
    );
    let row = store.task(lab.tenant, waiting.head.id).await.unwrap().unwrap();
    assert_eq!(row.status, TaskStatus::Waiting);
    store.close().await.unwrap();
}

/// The machine's clock was set back while the program was down.
#[tokio::test]
async fn time_goes_on_where_it_was() {
    let (lab, store, dir) = lab().await;
    let task = lab.create(lab.new_task()).await.head;
    store.close().await.unwrap();
    let future = task.created_at + 1_000_000_000;
    let conn = Connection::open(dir.join("agenticai.db")).unwrap();
    conn.execute("UPDATE tasks SET created_at = ?1", [future]).unwrap();
    drop(conn);
    let store = open(&dir).unwrap();
    assert!(store.now().await.unwrap() >= future);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let (_lab, store, dir) = lab().await;
    store.close().await.unwrap();
    let conn = Connection::open(dir.join("agenticai.db")).unwrap();
    conn.execute("INSERT INTO schema_migrations (version, sha256, applied_at) VALUES (1000, x'00', 1)", [])
        .unwrap();
    drop(conn);
    let refused = open(&dir).map(drop);
    assert!(matches!(refused, Err(OpenError::Newer { found: 1000, .. })), "{refused:?}");
    let conn = Connection::open(dir.join("agenticai.db")).unwrap();
    conn.execute("DELETE FROM schema_migrations WHERE version = 1000", []).unwrap();
    drop(conn);
    open(&dir).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("agenticai.db"),
        "these are my notes, and they are long enough to be read",
    )
    .unwrap();
    let refused = open(dir.path()).map(drop);
    assert!(matches!(refused, Err(OpenError::Database(_))), "{refused:?}");
    let kept = std::fs::read_to_string(dir.path().join("agenticai.db")).unwrap();
    assert!(kept.starts_with("these are my notes"));
    std::fs::write(dir.path().join("file"), "").unwrap();
    let refused = open(&dir.path().join("file")).map(drop);
    assert!(matches!(refused, Err(OpenError::Directory { .. })), "{refused:?}");
}

/// A data directory that others can enter still shows them nothing.
#[cfg(unix)]
#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let new = dir.path().join("made");
    for data_dir in [dir.path(), &new] {
        let store = open(data_dir).unwrap();
        for name in ["agenticai.db", "agenticai.db-wal", "agenticai.db-shm", "lock", "blobs"] {
            let mode = std::fs::metadata(data_dir.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
        }
        store.close().await.unwrap();
    }
    assert_eq!(std::fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o700);
}
