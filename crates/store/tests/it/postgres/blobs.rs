//! Large payloads of a cluster: where they lie, and when they go.

use std::path::{Path, PathBuf};

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::{NewTask, TaskInput, TaskStatus};
use agenticai_store::postgres::{ConnectError, Connection, PostgresOptions, PostgresStore};
use agenticai_store::{CreateTask, CreateTaskOutcome, Idempotency, StoreError, Tasks, Then};
use agenticai_testkit::conformance::lab::{RunExt, completed, entry, run, spend};
use agenticai_testkit::conformance::{Fixture, Lab};

use super::fixture::{PostgresFixture, lab};
use super::races::Holder;

const DAY: i64 = 24 * 60 * 60 * 1000;

async fn count(options: &PostgresOptions, table: &str) -> i64 {
    let connection = Connection::open(options).await.unwrap();
    connection.rows_once(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap()[0].get(0)
}

/// A task whose input is a large payload.
fn large(lab: &Lab) -> NewTask {
    NewTask { input: TaskInput::Text("x".repeat(3 << 20)), ..lab.new_task() }
}

async fn finish(lab: &Lab) {
    let worker = lab.worker().await;
    let claimed = lab.claim_one(worker).await;
    let end = Then::End { end: completed(&"y".repeat(100_000)), spend: spend(1) };
    lab.accept(worker, run(&claimed, 1, vec![entry(&"z".repeat(100_000))]).then(end)).await;
}

#[tokio::test]
async fn payloads_go_with_the_last_task_that_refers_to_them() {
    let (lab, store, options) = lab().await;
    lab.create(large(&lab)).await;
    finish(&lab).await;
    let other = lab.create(large(&lab)).await.head;
    assert_eq!(count(&options, "blobs WHERE chunk = 0").await, 3, "input, entry, outcome");
    let now = lab.store.now().await.unwrap();
    assert_eq!(store.housekeep_at(now + 2 * DAY).await.unwrap().blobs, 0);
    let late = store.housekeep_at(now + 50 * DAY).await.unwrap();
    assert_eq!((late.removed, late.blobs), (1, 2));
    assert_eq!(count(&options, "blobs WHERE chunk = 0").await, 1);
    assert_eq!(lab.row(other.id).await.head.input, other.input, "it is whole");
    finish(&lab).await;
    assert_eq!(store.housekeep_at(now + 90 * DAY).await.unwrap().blobs, 3);
    for table in ["blobs", "blob_refs", "blob_garbage"] {
        assert_eq!(count(&options, table).await, 0, "{table}");
    }
}

/// A request that was refused has left a payload; agents' are never removed.
#[tokio::test]
async fn payloads_of_tasks_that_never_came_into_being_go_after_a_day() {
    let (lab, store, options) = lab().await;
    lab.create_with_key(lab.new_task(), "key", 1).await;
    let key = Some(Idempotency { key: "key".to_owned(), body: [2; 32] });
    let refused = CreateTask { task: large(&lab), idempotency: key, thread: None };
    let outcome = lab.store.create_task(refused).await.unwrap();
    assert!(matches!(outcome, CreateTaskOutcome::KeyConflict(_)));
    let now = lab.store.now().await.unwrap();
    assert_eq!(store.housekeep().await.unwrap().blobs, 0);
    assert_eq!(count(&options, "blobs WHERE chunk = 0").await, 1);
    assert_eq!(store.housekeep_at(now + 2 * DAY).await.unwrap().blobs, 1);
    assert_eq!(count(&options, "blobs").await, 0);
}

/// Marks every payload as one that lost its last reference.
const FORGET: &str = "INSERT INTO blob_garbage SELECT tenant, sha256 FROM blob_refs ON CONFLICT DO NOTHING; DELETE FROM blob_refs";

/// Who removes has locked the payload that somebody else is about to find: that one waits, and writes it anew.
#[tokio::test]
async fn a_writer_waits_for_whoever_removes() {
    let (lab, store, options) = lab().await;
    lab.create(large(&lab)).await;
    Connection::open(&options).await.unwrap().script(FORGET).await.unwrap();
    let holder = Holder::hold(&options, "SELECT 1 FROM blobs WHERE chunk = 0 FOR UPDATE").await;
    let task = large(&lab);
    let id = task.id;
    let creating = tokio::spawn(async move {
        store.create_task(CreateTask { task, idempotency: None, thread: None }).await.unwrap()
    });
    holder.until_waited_for(1).await;
    holder.perform("DELETE FROM blobs").await;
    holder.commit().await;
    assert!(matches!(creating.await.unwrap(), CreateTaskOutcome::Created(_)));
    assert_eq!(lab.row(id).await.head.input, large(&lab).input);
}

/// Who writes has found the payload: whoever removes waits, and finds the reference that was committed before.
#[tokio::test]
async fn whoever_removes_waits_for_a_writer() {
    let (lab, store, options) = lab().await;
    let task = lab.create(large(&lab)).await.head.id;
    Connection::open(&options).await.unwrap().script(FORGET).await.unwrap();
    let holder = Holder::hold(&options, "UPDATE blobs SET at = 1 WHERE chunk = 0").await;
    let removing = tokio::spawn(async move { store.housekeep().await.unwrap() });
    holder.until_waited_for(1).await;
    // Where the statement that removes had looked for references before it waited, it would not see this one.
    let refer =
        format!("INSERT INTO blob_refs SELECT tenant, sha256, '{task}', 1 FROM blobs WHERE chunk = 0");
    Connection::open(&options).await.unwrap().script(&refer).await.unwrap();
    holder.commit().await;
    assert_eq!(removing.await.unwrap().blobs, 0);
    assert_eq!(lab.row(task).await.head.input, large(&lab).input);
}

/// A lab whose payloads lie in a directory.
async fn in_directory() -> (Lab, PostgresStore, PostgresOptions, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let PostgresFixture { store, options } = PostgresFixture::open().await;
    store.close();
    let options = PostgresOptions { blobs_directory: Some(dir.path().to_owned()), ..options };
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let fixture: Box<dyn Fixture> =
        Box::new(PostgresFixture { store: store.clone(), options: options.clone() });
    (Lab::new(fixture).await, store, options, dir)
}

/// Files of blobs below a directory.
fn blobs(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(blobs(&path));
        } else if path.file_name().is_some_and(|name| name != "agenticai-blobs") {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn a_directory_takes_the_place_of_the_table() {
    let (lab, store, options, dir) = in_directory().await;
    let head = lab.create(large(&lab)).await.head;
    assert_eq!((blobs(dir.path()).len(), count(&options, "blobs").await), (1, 0));
    let another = PostgresStore::connect(options.clone()).await.unwrap();
    assert_eq!(another.task(lab.tenant, head.id).await.unwrap().unwrap().head.input, head.input);
    finish(&lab).await;
    let now = lab.store.now().await.unwrap();
    assert_eq!(store.housekeep_at(now + 50 * DAY).await.unwrap().blobs, 3);
    assert_eq!(blobs(dir.path()), Vec::<PathBuf>::new());
    assert_eq!(count(&options, "blob_garbage").await, 0);
}

/// Also where the one who set it aside died in between.
#[tokio::test]
async fn a_file_that_is_about_to_be_removed_is_read_and_found_again() {
    let (lab, store, options, dir) = in_directory().await;
    let head = lab.create(large(&lab)).await.head;
    let file = blobs(dir.path()).remove(0);
    std::fs::rename(&file, file.with_extension("0123.aside")).unwrap();
    assert_eq!(lab.row(head.id).await.head.input, head.input);
    // It lost a reference and has another.
    let lose = "INSERT INTO blob_garbage SELECT tenant, sha256 FROM blob_refs";
    Connection::open(&options).await.unwrap().script(lose).await.unwrap();
    assert_eq!(store.housekeep().await.unwrap().blobs, 0);
    assert_eq!(blobs(dir.path()), [file], "it has its name again");
}

#[tokio::test]
async fn every_process_must_use_the_same_directory() {
    let (_lab, _store, options, dir) = in_directory().await;
    let refused = async |directory: Option<PathBuf>| {
        let options = PostgresOptions { blobs_directory: directory, ..options.clone() };
        match PostgresStore::connect(options).await {
            Err(ConnectError::Blobs(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was let in"),
        }
    };
    assert!(refused(None).await.contains("set blobs.directory"));
    assert!(refused(Some(dir.path().join("nowhere"))).await.contains("is not there"));
    let (_, _, _, foreign) = in_directory().await;
    assert!(refused(Some(foreign.path().to_owned())).await.contains("another cluster"));
    let unmounted = tempfile::tempdir().unwrap();
    assert!(refused(Some(unmounted.path().to_owned())).await.contains("mount that"));
}

/// A missing directory is an outage; a missing blob is damage, and fails its task alone.
#[tokio::test]
async fn an_unmounted_directory_is_waited_for_and_a_missing_blob_fails_its_task() {
    let (lab, store, _, dir) = in_directory().await;
    let task: TaskId = lab.create(large(&lab)).await.head.id;
    let (mark, hidden) = (dir.path().join("agenticai-blobs"), dir.path().join("hidden"));
    let file = blobs(dir.path()).remove(0);
    let content = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::rename(&mark, &hidden).unwrap();
    let read = lab.store.task(lab.tenant, task).await;
    assert!(matches!(&read, Err(StoreError::Unavailable(why)) if why.contains("mounted")), "{read:?}");
    let create = store.create_task(CreateTask { task: large(&lab), idempotency: None, thread: None }).await;
    assert!(matches!(&create, Err(StoreError::Unavailable(_))), "{create:?}");
    std::fs::rename(&hidden, &mark).unwrap();
    let worker = lab.worker().await;
    assert_eq!(lab.store.claim(worker, 10.into()).await.unwrap(), []);
    std::fs::write(&file, content).unwrap();
    let row = lab.row(task).await;
    assert_eq!(row.status, TaskStatus::Failed);
}
