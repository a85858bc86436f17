//! `kill -9` in the middle of writing.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_store::sqlite::{SqliteOptions, SqliteStore};
use agenticai_store::{AppendOutcome, CreateTask, Journal, Leases, Tasks, WorkerInfo};
use agenticai_testkit::conformance::Lab;
use agenticai_testkit::conformance::lab::{cancelled, content, entry, new_task, run};

use crate::fixture::SqliteFixture;

const DIR: &str = "AGENTICAI_TEST_CRASH_DIR";
/// Appends that run side by side, so that a batch holds several.
const TASKS: usize = 4;

/// The victim: says on standard output what was committed, as soon as it was told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started by the test below"]
async fn writes_until_it_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let store = SqliteStore::open(SqliteOptions::new(&dir)).unwrap();
    let worker =
        store.register_worker(WorkerInfo { name: "victim".to_owned(), reads_format: 1 }).await.unwrap();
    let claimed = store.claim(worker, 100.into()).await.unwrap();
    assert_eq!(claimed.len(), TASKS);
    let mut writers = Vec::new();
    for claimed in claimed {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for seq in claimed.last_seq + 1.. {
                // Every seventh is a blob.
                let text =
                    if seq % 7 == 0 { format!("{seq} {}", "x".repeat(66_000)) } else { format!("{seq} x") };
                let outcome =
                    store.append(worker, vec![run(&claimed, seq, vec![entry(&text)])]).await.unwrap();
                assert!(matches!(outcome[..], [AppendOutcome::Accepted { .. }]));
                println!("\ncommitted {} {seq}", claimed.head.id);
                let task = new_task(claimed.head.tenant, claimed.head.agent);
                let id = task.id;
                store.create_task(CreateTask { task, idempotency: None, thread: None }).await.unwrap();
                println!("\ncreated {id}");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Whatever the victim had been told is there after it was killed, without holes, and the heir goes on.
#[tokio::test]
async fn everything_acknowledged_survives_kill_9() {
    let fixture = SqliteFixture::open();
    let (store, dir) = (fixture.store.clone(), fixture.dir.path().to_owned());
    let lab = Lab::new(Box::new(fixture)).await;
    for _ in 0..TASKS {
        lab.create(lab.new_task()).await;
    }
    store.close().await.unwrap();
    let (mut created, mut known) = (Vec::new(), BTreeMap::new());
    for round in 1..=3 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(DIR, &dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut committed = known;
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut told = 0;
        while let Some(Ok(line)) = lines.next() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["committed", task, seq] => {
                    committed.insert(task.parse().unwrap(), seq.parse().unwrap());
                    told += 1;
                }
                ["created", task] => created.push(task.parse::<TaskId>().unwrap()),
                _ => {}
            }
            if told == 40 * round {
                // What it says between this and its death counts as well: the loop reads on to the end.
                victim.kill().unwrap();
            }
        }
        victim.wait().unwrap();
        assert!(told >= 40 * round, "the victim died by itself");
        known = check(&dir, lab.tenant, &committed, &created).await;
    }
}

/// Opens what the victim left; answers the journals' ends.
async fn check(
    dir: &std::path::Path,
    tenant: TenantId,
    committed: &BTreeMap<TaskId, u64>,
    created: &[TaskId],
) -> BTreeMap<TaskId, u64> {
    let store = SqliteStore::open(SqliteOptions::new(dir)).unwrap();
    let mut known = BTreeMap::new();
    for (task, last) in committed {
        let journal = store.read_journal(tenant, *task, 0, 100_000).await.unwrap();
        assert!(journal.len() as u64 >= *last, "{task}: {} of {last} entries are left", journal.len());
        for (seq, entry) in (1..).zip(&journal) {
            assert_eq!(entry.seq, seq);
            assert!(content(&entry.entry).starts_with(&format!("{seq} ")));
        }
        known.insert(*task, journal.len() as u64);
    }
    for task in created {
        assert!(store.task(tenant, *task).await.unwrap().is_some(), "the created task {task} is lost");
    }
    // The victim's tasks are ready at once. Those that it made are put aside, so that the next one finds its own.
    let sweeper =
        store.register_worker(WorkerInfo { name: "sweeper".to_owned(), reads_format: 1 }).await.unwrap();
    for claimed in store.claim(sweeper, 100_000.into()).await.unwrap() {
        if !committed.contains_key(&claimed.head.id) {
            store.end_task(tenant, claimed.head.id, 1, cancelled(), Default::default()).await.unwrap();
        }
    }
    store.close().await.unwrap();
    known
}
