//! Races held at their worst point: another connection takes a lock that one side needs, so that it stands still between
//! two of its steps while the other side runs. Races left to luck prove nothing.

mod cancel;
mod creation;
mod fencing;
mod inbox;
mod threads;

use std::time::{Duration, Instant};

use agenticai_domain::ids::TaskId;
use agenticai_store::postgres::{Connection, PostgresOptions};

/// How long somebody may take to come to the lock.
const WITHIN: Duration = Duration::from_secs(10);

/// A transaction that stands in others' way until it is ended.
pub struct Holder(Connection);

impl Holder {
    /// Takes locks by a statement.
    pub async fn hold(options: &PostgresOptions, sql: &str) -> Self {
        let connection = Connection::open(options).await.unwrap();
        connection.script(&format!("BEGIN; {sql}")).await.unwrap();
        Self(connection)
    }

    /// An entry that is about to take a seq of a task.
    pub async fn entry(options: &PostgresOptions, task: TaskId, seq: u64) -> Self {
        let sql = format!(
            "INSERT INTO journal (task, seq, at, tenant, bucket, epoch, entry)
             SELECT num, {seq}, 1, tenant, bucket, 1, '' FROM tasks WHERE id = '{task}'"
        );
        Self::hold(options, &sql).await
    }

    /// A place in the queue that is about to be a task's.
    pub async fn ready(options: &PostgresOptions, task: TaskId) -> Self {
        let sql = format!(
            "INSERT INTO ready (task, tenant, priority, format, epoch, ready_at)
             SELECT num, tenant, 1, 100, 0, 1 FROM tasks WHERE id = '{task}'"
        );
        Self::hold(options, &sql).await
    }

    /// Returns when `n` others wait for locks, of this one or of each other.
    pub async fn until_waited_for(&self, n: i64) {
        let began = Instant::now();
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        loop {
            // A transaction goes on seeing the activity that it saw first.
            self.perform("SELECT pg_stat_clear_snapshot()").await;
            let waiting: i64 = self.0.rows(sql, &[]).await.unwrap()[0].get(0);
            if waiting >= n {
                return;
            }
            assert!(began.elapsed() < WITHIN, "{waiting} wait for a lock, {n} should");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Changes something while it stands in the way.
    pub async fn perform(&self, sql: &str) {
        self.0.script(sql).await.unwrap();
    }

    /// Gets out of the way as if it had never been there.
    pub async fn vanish(self) {
        self.0.script("ROLLBACK").await.unwrap();
    }

    /// Gets out of the way, and what it did holds.
    pub async fn commit(self) {
        self.0.script("COMMIT").await.unwrap();
    }
}

/// A task's status, and how often it is in the queue and in somebody's hands.
pub async fn places(options: &PostgresOptions, task: TaskId) -> (i16, i64, i64) {
    let connection = Connection::open(options).await.unwrap();
    let sql = format!(
        "SELECT t.status, (SELECT count(*) FROM ready r WHERE r.task = t.num),
                (SELECT count(*) FROM held h WHERE h.task = t.num)
         FROM tasks t WHERE t.id = '{task}'"
    );
    let row = &connection.rows_once(&sql, &[]).await.unwrap()[0];
    (row.get(0), row.get(1), row.get(2))
}
