//! A disk that is full.

use agenticai_store::sqlite::{SqliteOptions, SqliteStore};
use agenticai_store::{AppendOutcome, CreateTask, Journal, StoreError, Tasks};
use agenticai_testkit::conformance::Lab;
use agenticai_testkit::conformance::lab::{content, entry, run};

use crate::fixture::SqliteFixture;

/// Writing until nothing fits, with creations and appends in one batch: whatever was answered with success is there,
/// the rest is an error that says so, and after room was made everything goes on.
#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions { max_pages: Some(80), ..SqliteOptions::new(dir.path()) };
    let store = SqliteStore::open(options).unwrap();
    let path = dir.path().to_owned();
    let lab = Lab::new(Box::new(SqliteFixture { store: store.clone(), dir })).await;
    let (worker, claimed) = lab.running().await;
    let mut accepted = 0;
    let full = loop {
        let text = format!("{accepted} {}", "x".repeat(20_000));
        let next = run(&claimed, accepted + 1, vec![entry(&text)]);
        let task = lab.new_task();
        let id = task.id;
        // Both in one batch, so that the append's failure has a neighbour.
        let (append, create) = tokio::join!(
            lab.store.append(worker, vec![next]),
            lab.store.create_task(CreateTask { task, idempotency: None, thread: None }),
        );
        let there = lab.store.task(lab.tenant, id).await.unwrap().is_some();
        assert_eq!(create.is_ok(), there, "{create:?}");
        match append {
            Ok(outcomes) => {
                assert!(matches!(outcomes[..], [AppendOutcome::Accepted { .. }]), "{outcomes:?}");
                accepted += 1;
            }
            Err(error) => break error,
        }
        assert!(accepted < 100, "80 pages hold less");
    };
    assert!(matches!(&full, StoreError::Unavailable(why) if why.contains("full")), "{full:?}");
    assert!(accepted > 2);
    let journal = lab.store.read_journal(lab.tenant, claimed.head.id, 0, 1_000).await.unwrap();
    assert_eq!(journal.len() as u64, accepted, "reads go on");
    store.close().await.unwrap();

    let store = SqliteStore::open(SqliteOptions::new(&path)).unwrap();
    let reread = store.read_journal(lab.tenant, claimed.head.id, 0, 1_000).await.unwrap();
    assert_eq!(reread, journal);
    assert!(reread.iter().enumerate().all(|(i, e)| content(&e.entry).starts_with(&format!("{i} "))));
    let create = CreateTask { task: lab.new_task(), idempotency: None, thread: None };
    store.create_task(create).await.unwrap();
    store.close().await.unwrap();
    let conn = rusqlite::Connection::open(path.join("agenticai.db")).unwrap();
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}
