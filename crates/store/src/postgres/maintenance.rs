//! A database that was restored to an earlier point: how it is noticed, and how it is declared.

use async_trait::async_trait;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::rows::get;
use super::{ConnectError, PostgresStore};
use crate::{Beat, Maintenance, PausedTasks, Result, WorkerId};

/// Numbers of tasks that one statement looks at, and tasks that one statement releases.
const WINDOW: i64 = 20_000;
const CHUNK: i32 = 1_000;

/// What an operator has to do about a database that was restored.
const ADVICE: &str = "run `agenticai admin restored`";

/// Whether a process may work with the database: it is the one that was worked with before, and has not gone back.
pub(super) async fn enter(store: &PostgresStore) -> std::result::Result<(), ConnectError> {
    let pool = &store.inner.read;
    let connection = pool.get().await.map_err(|error| ConnectError::Unreachable(error.to_string()))?;
    let rows = connection
        .rows("SELECT halted, moved, timeline_before, timeline, blob_directory FROM enter()", &[])
        .await?;
    drop(connection);
    let Some(row) = rows.first() else { return Ok(()) };
    if let Some(why) = row.try_get::<_, Option<String>>(0)? {
        return Err(ConnectError::Restored(format!("{why}: {ADVICE}")));
    }
    if row.try_get(1)? {
        return Err(ConnectError::Restored(format!(
            "it is a copy, on another server or in another database than the one that was worked with: {ADVICE}; if \
             every process had been stopped before the copy was made, so that it holds everything, \
             `agenticai admin restored --complete`"
        )));
    }
    if let Some(before) = row.try_get::<_, Option<i64>>(2)? {
        let now: Option<i64> = row.try_get(3)?;
        tracing::warn!(
            before,
            now,
            "the database has a new timeline: another server was promoted, which is no harm, or it was restored to an \
             earlier point; if it was restored, stop all processes and {ADVICE}"
        );
    }
    store.inner.blobs.agree(row.try_get(4)?).await
}

impl PostgresStore {
    /// What it means that a worker's beat found no row of a live worker, or one that knows less than was confirmed.
    pub(super) async fn missed_beat(&self, worker: WorkerId, beats: Option<i64>) -> Result<Beat> {
        let Some(known) = self.inner.vitals.known(worker) else { return Ok(Beat::Dead) };
        // Rows of workers are never removed.
        let sql = "SELECT beats FROM workers WHERE id = $1";
        let row = self.inner.beat.row(sql, &[(&worker.0, Type::INT8)]).await?;
        let found: Option<i64> = row.map(|row| get(&row, 0)).transpose()?;
        let why = match (beats, found) {
            (None, Some(found)) if found >= known => {
                self.forget_worker(worker);
                return Ok(Beat::Dead);
            }
            (Some(beats), _) | (None, Some(beats)) => {
                format!(
                    "worker {worker} had beaten {known} times, and the database knows of {beats}",
                    worker = worker.0
                )
            }
            (None, None) => format!("the database does not know worker {} any more", worker.0),
        };
        let sql = "UPDATE installation SET halted = $1 WHERE halted IS NULL";
        self.inner.beat.rows(sql, &[(&why, Type::TEXT)]).await?;
        self.forget_worker(worker);
        Ok(Beat::WentBack { why: format!("{why}: {ADVICE}") })
    }

    /// Forgets what was known of a worker that is dead.
    pub(super) fn forget_worker(&self, worker: WorkerId) {
        self.inner.positions.gone(worker);
        self.inner.vitals.gone(worker);
    }

    /// Declares that this database is a copy which holds everything that was ever committed: nothing is paused. `false`
    /// where a worker has found that something is missing.
    pub async fn accept_copy(&self) -> Result<bool> {
        self.end_restored(true).await
    }

    async fn end_restored(&self, complete: bool) -> Result<bool> {
        let params = [(&self.inner.clock.get() as _, Type::INT8), (&complete as _, Type::BOOL)];
        let row = self.inner.write.row("SELECT end_restored($1, $2)", &params).await?;
        row.map_or(Ok(false), |row| get(&row, 0))
    }
}

#[async_trait]
impl Maintenance for PostgresStore {
    async fn declare_restored(&self) -> Result<u64> {
        let why = "it is being declared that it was restored";
        let row = self.inner.write.row("SELECT begin_restored($1)", &[(&why, Type::TEXT)]).await?;
        let newest: i64 = row.map_or(Ok(0), |row| get(&row, 0))?;
        let mut paused = 0;
        let mut beyond = 0;
        while beyond < newest {
            let upto = newest.min(beyond + WINDOW);
            let floor = self.inner.clock.get();
            let window = [(&floor as _, Type::INT8), (&beyond as _, Type::INT8), (&upto as _, Type::INT8)];
            paused += u64::from(self.int("SELECT pause_tasks($1, $2, $3)", &window).await?);
            beyond = upto;
        }
        self.end_restored(false).await?;
        Ok(paused)
    }

    async fn release_paused(&self, which: PausedTasks) -> Result<u64> {
        let (tenant, task): (Option<String>, Option<Uuid>) = match which {
            PausedTasks::All => (None, None),
            PausedTasks::Tenant(name) => (Some(name), None),
            PausedTasks::One(task) => (None, Some(task.0)),
        };
        let mut released = 0;
        loop {
            let floor = self.inner.clock.get();
            let params = [
                (&floor as _, Type::INT8),
                (&tenant as _, Type::TEXT),
                (&task as _, Type::UUID),
                (&CHUNK as _, Type::INT4),
            ];
            match self.int("SELECT release_paused($1, $2, $3, $4)", &params).await? {
                0 => return Ok(released),
                some => released += u64::from(some),
            }
        }
    }
}
