//! Giving ready tasks to workers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::WRITES_FORMAT;
use agenticai_domain::task::{End, TaskError, codes};
use agenticai_domain::usage::Spend;

use super::PostgresStore;
use super::rows::{RawTask, count, get};
use crate::status::PRIORITY_MS;
use crate::{Claimed, Isolation, Leases, Result, StoreError, Tasks, Wanted, WorkerId};

/// How far a claim looks back behind what was claimed last, in milliseconds: a creation that began earlier may be
/// committed later.
const OVERLAP_MS: i64 = 10_000;
/// How often everything is looked at again, whatever was claimed: a task that a claim let go keeps its place in the
/// queue, which may lie far back.
const ANEW: Duration = Duration::from_secs(20);
/// Tenants that one statement looks at.
const TENANTS: usize = 64;

/// Where the queues of tenants and priorities begin. Below lie dead rows at most, of which a table whose oldest reader
/// is slow has hundreds of thousands: a claim that began at the beginning would read them all, every time.
#[derive(Default)]
pub(super) struct Marks(Mutex<State>);

#[derive(Default)]
struct State {
    since: HashMap<(i64, i16), i64>,
    /// Known tenants; the next slice begins at `next`.
    tenants: Vec<(i64, TenantId)>,
    next: usize,
    read_at: Option<Instant>,
}

/// Where one claim looks.
#[derive(Default)]
struct Look {
    tenant: Vec<i64>,
    priority: Vec<i16>,
    since: Vec<i64>,
    busy: Vec<i32>,
    newer_than: i64,
}

impl Marks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next slice of tenants.
    fn look(&mut self, wanted: &Wanted) -> Look {
        let newer_than = self.tenants.last().map_or(0, |(number, _)| *number);
        let mut look = Look { newer_than, ..Look::default() };
        for _ in 0..self.tenants.len().min(TENANTS) {
            let (tenant, id) = self.tenants[self.next % self.tenants.len()];
            self.next = (self.next + 1) % self.tenants.len();
            if wanted.sated.contains(&id) {
                continue;
            }
            let busy = wanted.busy.iter().find(|(tenant, _)| *tenant == id).map_or(0, |(_, tasks)| *tasks);
            for priority in 1..=10 {
                look.tenant.push(tenant);
                look.priority.push(priority);
                look.since.push(self.since.get(&(tenant, priority)).copied().unwrap_or(0));
                look.busy.push(i32::try_from(busy).unwrap_or(i32::MAX));
            }
        }
        look
    }

    /// Learns from what a claim brought: `taken` are the places of what it took, `full` whether there may be more.
    fn learn(&mut self, look: &Look, taken: &[(i64, i16, i64)], full: bool, now: i64) {
        for (tenant, priority) in look.tenant.iter().zip(&look.priority) {
            let last =
                taken.iter().filter(|(t, p, _)| t == tenant && p == priority).map(|(.., at)| *at).max();
            let mark = match last {
                Some(at) => at - OVERLAP_MS,
                None if !full => now - OVERLAP_MS,
                None => continue,
            };
            self.since.insert((*tenant, *priority), mark);
        }
    }
}

/// A task that was given away, its head not read yet.
struct Given {
    epoch: u32,
    last_seq: u64,
}

impl PostgresStore {
    /// See [`Leases::claim`].
    ///
    /// Heads are read after the commit: they never change. A task whose head cannot be read is failed, so that it does
    /// not come back for ever; where nothing can be read, everything is handed back.
    pub(super) async fn claim_tasks(&self, worker: WorkerId, wanted: Wanted) -> Result<Vec<Claimed>> {
        self.know_tenants().await?;
        let limit = wanted.limit as usize;
        let slices = self.inner.marks.lock().tenants.len().div_ceil(TENANTS).max(1);
        let mut given = HashMap::new();
        for _ in 0..slices {
            given.extend(self.give(worker, &wanted, limit - given.len()).await?);
            if given.len() >= limit {
                break;
            }
        }
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let nums: Vec<i64> = given.keys().copied().collect();
        match self.heads(&nums, given).await {
            Ok(claimed) => Ok(claimed),
            Err(error) => {
                self.release_numbers(worker, &nums).await?;
                Err(error)
            }
        }
    }

    /// Reads which tenants there are, from time to time; those that come in between are found by their numbers.
    async fn know_tenants(&self) -> Result<()> {
        {
            let mut state = self.inner.marks.lock();
            if state.read_at.is_some_and(|at| at.elapsed() < ANEW) {
                return Ok(());
            }
            state.read_at = Some(Instant::now());
            state.since.clear();
        }
        let rows = self.inner.write.rows("SELECT num, id FROM tenants ORDER BY num", &[]).await?;
        let tenants =
            rows.iter().map(|row| Ok((get(row, 0)?, TenantId(get(row, 1)?)))).collect::<Result<_>>()?;
        self.inner.marks.lock().tenants = tenants;
        Ok(())
    }

    async fn give(&self, worker: WorkerId, wanted: &Wanted, most: usize) -> Result<Vec<(i64, Given)>> {
        let look = self.inner.marks.lock().look(wanted);
        let (least_crashes, most_crashes) = wanted.suspects.map_or((0, 1), Isolation::crashes);
        let rows = self
            .inner
            .write
            .rows(
                "SELECT task, tenant, priority, ready_at, epoch, last_seq, clock_ms($1)
                 FROM claim_tasks($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                &[
                    (&self.inner.clock.get(), Type::INT8),
                    (&worker.0, Type::INT8),
                    (&i32::try_from(most).unwrap_or(i32::MAX), Type::INT4),
                    (&i16::from(WRITES_FORMAT), Type::INT2),
                    (&PRIORITY_MS, Type::INT8),
                    (&look.tenant, Type::INT8_ARRAY),
                    (&look.priority, Type::INT2_ARRAY),
                    (&look.since, Type::INT8_ARRAY),
                    (&look.busy, Type::INT4_ARRAY),
                    (&look.newer_than, Type::INT8),
                    (&least_crashes, Type::INT2),
                    (&most_crashes, Type::INT2),
                ],
            )
            .await?;
        let mut given = Vec::with_capacity(rows.len());
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            taken.push((get(row, 1)?, get(row, 2)?, get(row, 3)?));
            self.inner.clock.raise(get(row, 6)?);
            given
                .push((get(row, 0)?, Given { epoch: super::rows::small(row, 4)?, last_seq: count(row, 5)? }));
        }
        // Suspects lie among the others, which are not looked at then: nothing is learnt of these.
        if wanted.suspects.is_none() {
            let full = rows.len() >= most;
            self.inner.marks.lock().learn(&look, &taken, full, self.inner.clock.get());
        }
        Ok(given)
    }

    async fn heads(&self, nums: &[i64], mut given: HashMap<i64, Given>) -> Result<Vec<Claimed>> {
        let sql = "SELECT * FROM claimed_tasks($1)";
        let rows = self.inner.write.rows(sql, &[(&nums, Type::INT8_ARRAY)]).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let raw = RawTask::read(row)?;
            let ((num, inbox_seq), (tenant, id)) = (raw.place(), raw.id());
            let in_thread = raw.in_thread();
            let Some(Given { epoch, last_seq }) = given.remove(&num) else { continue };
            match raw.load_head(&self.inner.payloads).await {
                Ok(head) => {
                    let budgeted = get(row, RawTask::WIDTH)?;
                    claimed.push(Claimed { head, epoch, last_seq, inbox_seq, in_thread, budgeted });
                }
                Err(StoreError::Unreadable(why)) => {
                    tracing::error!(task = %id, %why, "the head of a task cannot be read; the task fails");
                    let error =
                        TaskError::new(codes::JOURNAL_CORRUPT, format!("the task cannot be read: {why}"));
                    self.end_task(tenant, id, last_seq + 1, End::Failed { error }, Spend::default()).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(claimed)
    }

    async fn release_numbers(&self, worker: WorkerId, nums: &[i64]) -> Result<()> {
        let sql = "SELECT id FROM tasks WHERE num = ANY ($1)";
        let rows = self.inner.write.rows(sql, &[(&nums, Type::INT8_ARRAY)]).await?;
        let ids = rows.iter().map(|row| get(row, 0).map(TaskId)).collect::<Result<Vec<_>>>()?;
        self.release(worker, ids).await
    }
}
