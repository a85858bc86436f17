//! What queries cost: which indexes they use, and how commands share a commit.

use agenticai_domain::task::TaskStatus;
use agenticai_store::{CreateTask, CreateTaskOutcome, StoreError};
use agenticai_testkit::conformance::lab::{entry, run};
use rusqlite::Connection;

use crate::fixture::lab;

/// The plan of a statement, one step a line.
fn plan(conn: &Connection, sql: &str) -> String {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

/// The statements that run all the time read an index from its top: no scan, no sort.
#[tokio::test]
async fn hot_statements_are_answered_by_indexes() {
    let (_lab, _store, dir) = lab().await;
    let conn = Connection::open(dir.join("agenticai.db")).unwrap();
    let cases = [
        (
            "SELECT num FROM tasks WHERE ready_due IS NOT NULL AND format <= 1 ORDER BY ready_due LIMIT 10",
            "tasks_ready",
        ),
        (
            "SELECT count(*), min(ready_due + priority * 10000) FROM tasks WHERE ready_due IS NOT NULL",
            "COVERING INDEX tasks_ready",
        ),
        (
            "SELECT num FROM tasks WHERE wake_at IS NOT NULL AND wake_at <= 5 ORDER BY wake_at LIMIT 10",
            "tasks_timers",
        ),
        (
            "SELECT num FROM tasks WHERE tenant = 1 AND status = 3 AND num < 9 ORDER BY num DESC LIMIT 5",
            "tasks_by_status",
        ),
        (
            "SELECT num FROM tasks WHERE tenant = 1 AND agent = 2 AND status = 3 AND num < 9 ORDER BY num DESC LIMIT 5",
            "tasks_by_agent",
        ),
        ("SELECT count(*) FROM tasks WHERE tenant = 1 AND status = 3", "COVERING INDEX tasks_by_status"),
        (
            "SELECT count(*) FROM tasks WHERE tenant = 1 AND status = 3 AND agent = 2",
            "COVERING INDEX tasks_by_agent",
        ),
        ("SELECT max(seq) FROM journal WHERE task = 1", "COVERING INDEX journal_by_task"),
        (
            "SELECT c.id FROM tasks c WHERE c.parent IS NOT NULL AND c.completed_at IS NULL LIMIT 1",
            "tasks_live_children",
        ),
    ];
    for (sql, index) in cases {
        let plan = plan(&conn, sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql} sorts:\n{plan}");
    }
}

/// Commands that arrive while a commit runs go into the next one together.
#[tokio::test]
async fn commands_share_commits() {
    let (lab, store, _dir) = lab().await;
    let before = store.stats();
    let creations: Vec<_> = (0..300)
        .map(|_| {
            let (store, task) = (lab.store.clone(), lab.new_task());
            tokio::spawn(async move {
                store.create_task(CreateTask { task, idempotency: None, thread: None }).await
            })
        })
        .collect();
    for creation in creations {
        assert!(matches!(creation.await.unwrap(), Ok(CreateTaskOutcome::Created(_))));
    }
    let after = store.stats();
    assert_eq!(after.commands - before.commands, 300);
    assert!(
        after.commits - before.commits <= 150,
        "{} commits for 300 commands",
        after.commits - before.commits
    );
    assert_eq!((after.queued, after.failed_commits), (0, 0));
}

/// The outcomes of appends are counted by what they mean.
#[tokio::test]
async fn outcomes_are_counted() {
    let (lab, store, _dir) = lab().await;
    let (worker, claimed) = lab.running().await;
    let first = run(&claimed, 1, vec![entry("a")]);
    lab.accept(worker, first.clone()).await;
    lab.append(worker, first).await;
    lab.append(worker, run(&claimed, 1, vec![entry("b")])).await;
    lab.append(worker, run(&claimed, 9, vec![entry("c")])).await;
    let stranger = lab.worker().await;
    lab.append(stranger, run(&claimed, 2, vec![entry("d")])).await;
    let stats = store.stats();
    assert_eq!(
        (stats.appends_accepted, stats.appends_overtaken, stats.appends_refused, stats.appends_fenced),
        (2, 1, 1, 1)
    );
}

/// The log is copied into the database file while the store is busy, and does not grow for ever.
#[tokio::test]
async fn the_log_stays_bounded_under_load() {
    let (lab, store, dir) = lab().await;
    let (worker, claimed) = lab.running().await;
    let text = "x".repeat(60_000);
    let mut longest = 0;
    for batch in 0..40 {
        let entries = (0..32).map(|_| entry(&text)).collect();
        lab.accept(worker, run(&claimed, batch * 32 + 1, entries)).await;
        longest = longest.max(store.stats().log_pages);
    }
    let written = std::fs::metadata(dir.join("agenticai.db")).unwrap().len();
    assert!(written > 10 << 20, "{written} bytes were copied while it ran");
    // 40 batches of 32 entries are about 20,000 pages.
    assert!(longest < 12_000, "{longest} pages in the log");
    store.close().await.unwrap();
    let log = std::fs::metadata(dir.join("agenticai.db-wal")).map_or(0, |file| file.len());
    assert_eq!(log, 0, "an orderly end leaves no log");
}

/// A task that does not exist is an answer, and a failed read concerns its caller alone.
#[tokio::test]
async fn a_table_that_is_gone_fails_its_readers_only() {
    let (lab, _store, dir) = lab().await;
    let (worker, claimed) = lab.running().await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")])).await;
    let conn = Connection::open(dir.join("agenticai.db")).unwrap();
    conn.execute("UPDATE journal SET entry = x'ff00'", []).unwrap();
    let unreadable = lab.store.read_journal(lab.tenant, claimed.head.id, 0, 10).await;
    assert!(matches!(unreadable, Err(StoreError::Unreadable(_))), "{unreadable:?}");
    conn.execute("ALTER TABLE journal RENAME TO lost", []).unwrap();
    let failed = lab.store.read_journal(lab.tenant, claimed.head.id, 0, 10).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    let failed = lab.store.append(worker, vec![run(&claimed, 2, vec![entry("b")])]).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    conn.execute("ALTER TABLE lost RENAME TO journal", []).unwrap();
    lab.accept(worker, run(&claimed, 2, vec![entry("b")])).await;
    assert_eq!(lab.row(claimed.head.id).await.status, TaskStatus::Running);
}

/// A row that cannot be read does not come back for ever, nor does it hold up the tasks that are claimed with it.
#[tokio::test]
async fn a_damaged_row_fails_its_task_alone() {
    let (lab, _store, dir) = lab().await;
    let damaged = lab.create(lab.new_task()).await.head;
    let sound = lab.create(lab.new_task()).await.head;
    let conn = Connection::open(dir.join("agenticai.db")).unwrap();
    let of_task = "WHERE task = (SELECT num FROM tasks WHERE id = ?1)";
    conn.execute(&format!("UPDATE task_inputs SET metadata = '{{' {of_task}"), [damaged.id.0.as_bytes()])
        .unwrap();
    let worker = lab.worker().await;
    assert_eq!(lab.claim_one(worker).await.head, sound);
    conn.execute(&format!("UPDATE task_inputs SET metadata = NULL {of_task}"), [damaged.id.0.as_bytes()])
        .unwrap();
    assert_eq!(lab.row(damaged.id).await.status, TaskStatus::Failed);
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty());
}
