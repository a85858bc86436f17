//! Appending runs of entries.

use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::WRITES_FORMAT;
use agenticai_domain::task::TaskStatus;

use super::PostgresStore;
use super::budgets::AmountColumns;
use super::columns::{PreparedTask, TaskColumns};
use super::connection::Param;
use super::positions::end_of;
use super::rows::{SpendColumns, get, number};
use crate::payload::{Payloads, Sealed, sealed};
use crate::status::{status_number, status_of};
use crate::{Append, AppendOutcome, Charge, Result, StoreError, Then, WorkerId};

const GOES_ON: i16 = 0;
const WAITS: i16 = 1;
const ENDS: i16 = 2;

/// A run whose payloads are ready to be written.
struct PreparedRun {
    task: TaskId,
    epoch: u32,
    run: i64,
    first_seq: i64,
    entries: Vec<Vec<u8>>,
    children: Vec<PreparedTask>,
    kind: i16,
    inbox_seen: Option<i64>,
    wake_at: Option<i64>,
    waiting_for: Option<Vec<u8>>,
    status: Option<i16>,
    outcome: Option<Vec<u8>>,
    tokens: [Option<i64>; 4],
    cost: Option<i64>,
    charges: Vec<Charge>,
}

/// See [`crate::Journal::append`].
pub(super) async fn append(
    store: &PostgresStore,
    worker: WorkerId,
    runs: Vec<Append>,
) -> Result<Vec<AppendOutcome>> {
    let positions = &store.inner.positions;
    let mut outcomes = Vec::with_capacity(runs.len());
    let mut prepared = Vec::with_capacity(runs.len());
    let ends: Vec<(TaskId, Option<u64>)> = runs.iter().map(|run| (run.task, end_of(run))).collect();
    for (place, run) in runs.into_iter().enumerate() {
        if let Some(why) = positions.gap(worker, &run) {
            outcomes.push(AppendOutcome::Refused(why));
            continue;
        }
        // Data that cannot be stored refuses its own run; a database that does not answer concerns all.
        outcomes.push(match store.prepare_run(run).await {
            Ok(run) => {
                prepared.push((place, run));
                AppendOutcome::Overtaken
            }
            Err(StoreError::Refused(why)) => AppendOutcome::Refused(why),
            Err(error) => return Err(error),
        });
    }
    // A statement takes one run of a task: another one of the same task goes with the next.
    while !prepared.is_empty() {
        let mut tasks = std::collections::HashSet::with_capacity(prepared.len());
        let (now, later) = prepared.into_iter().partition(|(_, run)| tasks.insert(run.task));
        prepared = later;
        let (places, runs): (Vec<usize>, Vec<PreparedRun>) = Vec::into_iter(now).unzip();
        for (place, outcome) in places.into_iter().zip(store.apart(worker, &runs).await?) {
            outcomes[place] = outcome;
        }
    }
    for ((task, end), outcome) in ends.into_iter().zip(&outcomes) {
        positions.appended(worker, task, end, outcome);
    }
    Ok(outcomes)
}

impl PostgresStore {
    async fn prepare_run(&self, run: Append) -> Result<PreparedRun> {
        let payloads = &self.inner.payloads;
        if run.entries.is_empty() && !matches!(run.then, Then::Wait { .. }) {
            return Err(StoreError::Refused("a run without entries must be a wait".to_owned()));
        }
        let mut entries = Vec::with_capacity(run.entries.len());
        for entry in &*run.entries {
            entries.push(self.keep_for(run.task, entry, payloads).await?);
        }
        let mut children = Vec::with_capacity(run.children.len());
        for child in run.children {
            children.push(PreparedTask::new(child, payloads).await?);
        }
        let mut prepared = PreparedRun {
            task: run.task,
            epoch: run.epoch,
            run: run.run.cast_signed(),
            first_seq: number(run.first_seq)?,
            entries,
            children,
            kind: GOES_ON,
            inbox_seen: None,
            wake_at: None,
            waiting_for: None,
            status: None,
            outcome: None,
            tokens: [None; 4],
            cost: None,
            charges: run.charges,
        };
        let spend = match run.then {
            Then::Continue => return Ok(prepared),
            Then::Wait { waiting_for, wake_at, inbox_seen, spend } => {
                prepared.kind = WAITS;
                prepared.inbox_seen = Some(number(inbox_seen)?);
                prepared.wake_at = wake_at;
                prepared.waiting_for = Some(self.keep_for(run.task, &waiting_for, payloads).await?);
                spend
            }
            Then::End { end, spend } => {
                prepared.kind = ENDS;
                prepared.status = Some(status_number(end.status()));
                prepared.outcome = Some(self.keep_for(run.task, &end, payloads).await?);
                spend
            }
        };
        let spend = SpendColumns::of(&spend)?;
        prepared.tokens = spend.tokens.map(Some);
        prepared.cost = spend.cost;
        Ok(prepared)
    }

    /// The column for a value of a task whose tenant is looked up only where a blob needs it.
    async fn keep_for<T: serde::Serialize>(
        &self,
        task: TaskId,
        value: &T,
        payloads: &Payloads,
    ) -> Result<Vec<u8>> {
        match sealed(value) {
            Sealed::Inline(bytes) => Ok(bytes),
            Sealed::Large(bytes) => payloads.keep_blob(self.tenant_of(task).await?, Some(task), bytes).await,
        }
    }

    /// The tenant of a task: for blobs of a worker's payloads.
    pub(super) async fn tenant_of(&self, task: TaskId) -> Result<TenantId> {
        let sql = "SELECT n.id FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = $1";
        match self.inner.read.row(sql, &[(&task.0, Type::UUID)]).await? {
            Some(row) => Ok(TenantId(get(&row, 0)?)),
            None => Err(StoreError::Refused(format!("there is no task {task}"))),
        }
    }

    /// Commits runs. Where the database refuses their data, they are halved until the one that is refused stands alone.
    async fn apart(&self, worker: WorkerId, runs: &[PreparedRun]) -> Result<Vec<AppendOutcome>> {
        match self.commit(worker, runs).await {
            Err(StoreError::Refused(why)) if runs.len() == 1 => Ok(vec![AppendOutcome::Refused(why)]),
            Err(StoreError::Refused(_)) => {
                let (first, second) = runs.split_at(runs.len() / 2);
                let mut outcomes = Box::pin(self.apart(worker, first)).await?;
                outcomes.extend(Box::pin(self.apart(worker, second)).await?);
                Ok(outcomes)
            }
            decided => decided,
        }
    }

    async fn commit(&self, worker: WorkerId, runs: &[PreparedRun]) -> Result<Vec<AppendOutcome>> {
        let columns = RunColumns::of(runs);
        let (floor, format) = (self.inner.clock.get(), i16::from(WRITES_FORMAT));
        let beats = self.inner.vitals.known(worker).unwrap_or(0);
        let mut params: Vec<Param<'_>> =
            vec![(&floor, Type::INT8), (&worker.0, Type::INT8), (&beats, Type::INT8), (&format, Type::INT2)];
        params.extend(columns.params());
        let rows = self.inner.append.rows(&sql(params.len()), &params).await?;
        if let [row] = rows.as_slice()
            && get::<i32>(row, 0)? == 0
        {
            return Ok(vec![self.outcome(row)?; runs.len()]);
        }
        let mut outcomes = vec![None; runs.len()];
        for row in &rows {
            let place = usize::try_from(get::<i32>(row, 0)? - 1).ok();
            if let Some(slot) = place.and_then(|place| outcomes.get_mut(place)) {
                *slot = Some(self.outcome(row)?);
            }
        }
        outcomes
            .into_iter()
            .map(|o| o.ok_or_else(|| StoreError::Unavailable("a run was not answered".to_owned())))
            .collect()
    }

    fn outcome(&self, row: &tokio_postgres::Row) -> Result<AppendOutcome> {
        let at = || get::<i64>(row, 2).map(|at| self.inner.clock.raise(at).min(at));
        Ok(match get::<i16>(row, 1)? {
            0 => AppendOutcome::Accepted { at: at()? },
            1 => AppendOutcome::AlreadyMine { at: at()? },
            2 => AppendOutcome::Fenced,
            3 => AppendOutcome::Overtaken,
            4 => AppendOutcome::InboxMoved,
            _ => AppendOutcome::Terminal(terminal(row)?),
        })
    }
}

fn terminal(row: &tokio_postgres::Row) -> Result<TaskStatus> {
    let number: i16 = get(row, 3)?;
    status_of(i64::from(number)).ok_or_else(|| StoreError::Unreadable(format!("{number} is no status")))
}

fn sql(params: usize) -> String {
    let places: Vec<String> = (1..=params).map(|n| format!("${n}")).collect();
    format!("SELECT idx, outcome, at, status FROM append_runs({})", places.join(","))
}

/// The columns of a batch of runs.
#[derive(Default)]
struct RunColumns<'a> {
    id: Vec<Uuid>,
    epoch: Vec<i32>,
    run: Vec<i64>,
    first: Vec<i64>,
    count: Vec<i32>,
    kind: Vec<i16>,
    entry: Vec<Option<&'a [u8]>>,
    inbox_seen: Vec<Option<i64>>,
    wake_at: Vec<Option<i64>>,
    waiting_for: Vec<Option<&'a [u8]>>,
    status: Vec<Option<i16>>,
    outcome: Vec<Option<&'a [u8]>>,
    tokens: [Vec<Option<i64>>; 4],
    cost: Vec<Option<i64>>,
    other_run: Vec<i32>,
    other_place: Vec<i32>,
    other_entry: Vec<&'a [u8]>,
    child_run: Vec<i32>,
    children: TaskColumns<'a>,
    charged_run: Vec<i32>,
    charges: AmountColumns,
}

impl<'a> RunColumns<'a> {
    fn of(runs: &'a [PreparedRun]) -> Self {
        let mut columns = Self::default();
        for (place, run) in (1_i32..).zip(runs) {
            columns.id.push(run.task.0);
            // An epoch that no column holds was never given.
            columns.epoch.push(i32::try_from(run.epoch).unwrap_or(-1));
            columns.run.push(run.run);
            columns.first.push(run.first_seq);
            columns.count.push(i32::try_from(run.entries.len()).unwrap_or(i32::MAX));
            columns.kind.push(run.kind);
            columns.entry.push(run.entries.first().map(Vec::as_slice));
            columns.inbox_seen.push(run.inbox_seen);
            columns.wake_at.push(run.wake_at);
            columns.waiting_for.push(run.waiting_for.as_deref());
            columns.status.push(run.status);
            columns.outcome.push(run.outcome.as_deref());
            for (column, value) in columns.tokens.iter_mut().zip(run.tokens) {
                column.push(value);
            }
            columns.cost.push(run.cost);
            for (other, entry) in (0_i32..).zip(&run.entries).skip(1) {
                columns.other_run.push(place);
                columns.other_place.push(other);
                columns.other_entry.push(entry);
            }
            for child in &run.children {
                columns.child_run.push(place);
                columns.children.push(child);
            }
            for charge in &run.charges {
                columns.charged_run.push(place);
                columns.charges.push(charge.budget, charge.period_start, charge.amount);
            }
        }
        columns
    }

    fn params(&self) -> Vec<Param<'_>> {
        let mut params: Vec<Param<'_>> = vec![
            (&self.id, Type::UUID_ARRAY),
            (&self.epoch, Type::INT4_ARRAY),
            (&self.run, Type::INT8_ARRAY),
            (&self.first, Type::INT8_ARRAY),
            (&self.count, Type::INT4_ARRAY),
            (&self.kind, Type::INT2_ARRAY),
            (&self.entry, Type::BYTEA_ARRAY),
            (&self.inbox_seen, Type::INT8_ARRAY),
            (&self.wake_at, Type::INT8_ARRAY),
            (&self.waiting_for, Type::BYTEA_ARRAY),
            (&self.status, Type::INT2_ARRAY),
            (&self.outcome, Type::BYTEA_ARRAY),
        ];
        params.extend(self.tokens.iter().map(|column| -> Param<'_> { (column, Type::INT8_ARRAY) }));
        params.extend([
            (&self.cost as _, Type::INT8_ARRAY),
            (&self.other_run as _, Type::INT4_ARRAY),
            (&self.other_place as _, Type::INT4_ARRAY),
            (&self.other_entry as _, Type::BYTEA_ARRAY),
            (&self.child_run as _, Type::INT4_ARRAY),
        ]);
        params.extend(self.children.params());
        params.push((&self.charged_run, Type::INT4_ARRAY));
        params.extend(self.charges.params());
        params
    }
}
