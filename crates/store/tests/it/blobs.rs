//! Payloads beside the database.

use std::path::{Path, PathBuf};

use agenticai_domain::ids::TenantId;
use agenticai_domain::task::{TaskInput, TaskStatus, codes};
use agenticai_store::StoreError;
use agenticai_store::blobs::{BlobRef, Blobs, DirBlobs};
use agenticai_testkit::conformance::lab::{entry, run};
use bytes::Bytes;
use uuid::Uuid;

use crate::fixture::lab;

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn equal_content_is_one_file_in_each_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = DirBlobs::new(dir.path().join("blobs"));
    let (ours, theirs) = (TenantId(Uuid::new_v4()), TenantId(Uuid::new_v4()));
    let content = Bytes::from_static(b"content");
    let (a, b) = tokio::join!(blobs.put(ours, None, content.clone()), blobs.put(ours, None, content.clone()));
    let name = a.unwrap();
    assert_eq!(name, b.unwrap());
    assert_eq!(name, BlobRef::of(b"content"));
    assert_eq!(blobs.get(ours, name).await.unwrap(), content);
    assert!(
        matches!(blobs.get(theirs, name).await, Err(StoreError::Unreadable(_))),
        "not even equal ones are shared"
    );
    blobs.put(theirs, None, content).await.unwrap();
    assert_eq!(files(dir.path()).len(), 2, "and no temporary file is left");
    let hex = hex::encode(name.sha256);
    assert_eq!(
        blobs.path(ours, name),
        dir.path().join("blobs").join(ours.to_string()).join(&hex[..2]).join(&hex)
    );
}

#[tokio::test]
async fn only_large_payloads_become_files() {
    let (lab, _store, dir) = lab().await;
    let (worker, claimed) = lab.running().await;
    lab.accept(worker, run(&claimed, 1, vec![entry(&"x".repeat(60_000))])).await;
    assert!(files(&dir.join("blobs")).is_empty());
    lab.accept(worker, run(&claimed, 2, vec![entry(&"x".repeat(70_000))])).await;
    assert_eq!(files(&dir.join("blobs")).len(), 1);
}

/// A blob that is gone or changed is an error with its place, for that entry alone, and never wrong data.
#[tokio::test]
async fn damage_is_told_and_not_guessed() {
    let (lab, _store, dir) = lab().await;
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.accept(worker, run(&claimed, 1, vec![entry("small"), entry(&"x".repeat(70_000))])).await;
    let blob = files(&dir.join("blobs")).remove(0);
    let mut content = std::fs::read(&blob).unwrap();
    content[30_000] ^= 1;
    std::fs::write(&blob, &content).unwrap();
    let damaged = lab.store.read_journal(lab.tenant, task, 0, 10).await;
    assert!(matches!(&damaged, Err(StoreError::Unreadable(why)) if why.contains("entry 2")), "{damaged:?}");
    std::fs::remove_file(&blob).unwrap();
    let missing = lab.store.read_journal(lab.tenant, task, 0, 10).await;
    assert!(matches!(&missing, Err(StoreError::Unreadable(why)) if why.contains("missing")), "{missing:?}");
    assert_eq!(
        lab.store.read_journal(lab.tenant, task, 0, 1).await.unwrap().len(),
        1,
        "the entry before it reads"
    );
}

/// A task whose input is gone fails with the reason, and the tasks claimed with it are given out.
#[tokio::test]
async fn a_task_whose_input_is_lost_fails_alone() {
    let (lab, _store, dir) = lab().await;
    let mut lost = lab.new_task();
    lost.input = TaskInput::Text("x".repeat(70_000));
    lab.create(lost.clone()).await;
    let sound = lab.create(lab.new_task()).await.head;
    let blob = files(&dir.join("blobs")).remove(0);
    let content = std::fs::read(&blob).unwrap();
    std::fs::remove_file(&blob).unwrap();
    let worker = lab.worker().await;
    assert_eq!(lab.claim_one(worker).await.head, sound);
    std::fs::write(&blob, content).unwrap();
    let row = lab.row(lost.id).await;
    assert_eq!(row.status, TaskStatus::Failed);
    let end = serde_json::to_value(row.end.unwrap()).unwrap();
    assert_eq!(end["error"]["code"], codes::JOURNAL_CORRUPT);
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty());
}

/// Where blobs cannot be written, a large run has an unknown outcome and a small one goes in.
#[tokio::test]
async fn a_disk_that_takes_no_blobs_stops_large_payloads_only() {
    let (lab, _store, dir) = lab().await;
    let (worker, claimed) = lab.running().await;
    // A file where the tenant's directory should be: also root cannot write below it.
    std::fs::write(dir.join("blobs").join(lab.tenant.to_string()), "").unwrap();
    let large = run(&claimed, 1, vec![entry(&"x".repeat(70_000))]);
    let outcome = lab.store.append(worker, vec![large.clone()]).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    lab.accept(worker, run(&claimed, 1, vec![entry("small")])).await;
    std::fs::remove_file(dir.join("blobs").join(lab.tenant.to_string())).unwrap();
    lab.accept(worker, agenticai_store::Append { first_seq: 2, ..large }).await;
}
