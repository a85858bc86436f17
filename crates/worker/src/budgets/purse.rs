//! All slices of an incarnation, and reserving out of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use agenticai_agent::models::Bound;
use agenticai_domain::budget::{Amount, BudgetLimits};
use agenticai_domain::ids::{BudgetId, TaskId, TenantId};
use agenticai_domain::task::{TaskError, codes};
use agenticai_store::{Draw, DrawRequest, Keep, Payer, Store, StoreError, WorkerId};

use super::slice::Slice;
use super::tab::Hold;
use crate::clock::Clock;
use crate::metrics::WorkerMetrics;
use crate::patience::patiently;

/// How long a call that does not fit waits before it looks again.
const PAUSE: Duration = Duration::from_millis(200);
/// How long is believed what the store says of which budgets pay for a task.
const FRESH: Duration = Duration::from_secs(2);

/// Names a slice: a budget and when its period began.
pub(super) type Key = (BudgetId, i64);

/// The slices of one incarnation of a worker.
pub struct Purse {
    store: Arc<dyn Store>,
    worker: WorkerId,
    clock: Arc<Clock>,
    metrics: Arc<WorkerMetrics>,
    /// So many calls' worth is drawn at once where there is plenty.
    calls: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Tenants that have budgets, as far as is known.
    tenants: HashSet<TenantId>,
    slices: HashMap<Key, Slice>,
}

/// The task that is to be paid for, and its budgets as they were read last.
pub struct Customer {
    tenant: TenantId,
    task: TaskId,
    payers: Mutex<Option<(Instant, Arc<[Payer]>)>>,
}

impl Customer {
    /// Nothing was read yet.
    pub fn new(tenant: TenantId, task: TaskId) -> Self {
        Self { tenant, task, payers: Mutex::default() }
    }
}

/// What came of reserving in one budget.
enum Held {
    /// It is reserved in this slice.
    Reserved(Key),
    /// The budget is gone: it binds nobody.
    Unbound,
    /// It does not fit. Whether some of it may come back, and what is spent.
    Short { open: bool, spent: Amount, limits: BudgetLimits },
}

impl Purse {
    /// Empty. `calls`, 1 at least, are drawn at once.
    pub fn new(
        store: Arc<dyn Store>,
        worker: WorkerId,
        clock: Arc<Clock>,
        metrics: Arc<WorkerMetrics>,
        calls: u32,
    ) -> Self {
        Self { store, worker, clock, metrics, calls, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, key: Key, work: impl FnOnce(&mut Slice) -> T) -> T {
        work(self.state().slices.entry(key).or_insert_with(Slice::new))
    }

    /// Whether tasks of a tenant have to be paid for.
    pub fn pays_for(&self, tenant: TenantId) -> bool {
        self.state().tenants.contains(&tenant)
    }

    /// Reserves the most that a call can cost in every budget that pays for its task. Waits while a budget is short and
    /// parts of it are out; the error, `budget_exceeded` or `price_unknown`, says which budget cannot pay.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        customer: &Customer,
        bound: &Bound,
    ) -> Result<Hold, TaskError> {
        let mut waiting = None;
        loop {
            let payers = self.payers(customer).await?;
            if let Some(payer) = payers.iter().find(|p| p.limits.max_cost.is_some() && !bound.priced) {
                let message = format!(
                    "the budget `{}` bounds the cost, and the model's price is unknown: add a row to `prices` in the \
                     configuration",
                    payer.name
                );
                return Err(TaskError::new(codes::PRICE_UNKNOWN, message));
            }
            let mut hold = Hold::new(self.clone(), bound.most);
            let mut obstacle = None;
            for payer in payers.iter() {
                match self.hold(payer, bound.most).await? {
                    Held::Reserved(key) => hold.push(key),
                    Held::Unbound => {}
                    Held::Short { open, spent, limits } => {
                        obstacle = Some((payer, open, spent, limits));
                        break;
                    }
                }
            }
            let Some((payer, open, spent, limits)) = obstacle else { return Ok(hold) };
            // Nothing is held while it waits: two calls with parts of what both need would wait for each other.
            drop(hold);
            if !open {
                self.metrics.budget_refusals.inc();
                return Err(TaskError::new(codes::BUDGET_EXCEEDED, exceeded(payer, spent, limits, bound)));
            }
            waiting.get_or_insert_with(|| self.metrics.budget_wait());
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn payers(&self, customer: &Customer) -> Result<Arc<[Payer]>, TaskError> {
        let cache = || customer.payers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read_at, payers)) = cache().as_ref()
            && read_at.elapsed() < FRESH
        {
            return Ok(payers.clone());
        }
        let read = || self.store.payers(customer.tenant, customer.task);
        let payers: Arc<[Payer]> = patiently("budgets", read).await.map_err(unusable)?.into();
        *cache() = Some((Instant::now(), payers.clone()));
        Ok(payers)
    }

    async fn hold(&self, payer: &Payer, need: Amount) -> Result<Held, TaskError> {
        let mut key = (payer.id, payer.period.start_of(self.clock.now()));
        loop {
            let changing = self.with(key, |slice| slice.changing.clone());
            let _changing = changing.lock().await;
            let (lack, free) = self.with(key, |slice| {
                let lack = slice.lack(need);
                if lack.is_zero() {
                    slice.reserve(need);
                }
                (lack, slice.free())
            });
            if lack.is_zero() {
                return Ok(Held::Reserved(key));
            }
            let want = lack.plus(need.times(self.calls - 1));
            match self.draw(key, lack, want, false).await.map_err(unusable)? {
                Draw::Granted(_) => {}
                // What this worker has left of it may be what others lack.
                Draw::Short { .. } if !free.is_zero() => self.shrink(key).await.map_err(unusable)?,
                Draw::Short { open, spent, limits } => return Ok(Held::Short { open, spent, limits }),
                Draw::Later(period_start) => key.1 = period_start,
                Draw::Gone => {
                    self.state().slices.remove(&key);
                    return Ok(Held::Unbound);
                }
                // The task is no longer this worker's, and its driver is about to hear of it.
                Draw::Fenced => std::future::pending().await,
            }
        }
    }

    async fn draw(
        &self,
        key: Key,
        need: Amount,
        want: Amount,
        spent_already: bool,
    ) -> Result<Draw, StoreError> {
        let (budget, period_start) = key;
        let request = DrawRequest { budget, period_start, need, want, spent_already };
        let draw = patiently("a budget", || self.store.draw(self.worker, request)).await?;
        if let Draw::Granted(granted) = draw {
            self.with(key, |slice| slice.grant(granted));
        }
        Ok(draw)
    }

    /// Reserves what a call has consumed beyond its reservation, whatever the limits say.
    pub(super) async fn overdraw(&self, key: Key, more: Amount) -> Result<(), StoreError> {
        let changing = self.with(key, |slice| slice.changing.clone());
        let _changing = changing.lock().await;
        let lack = self.with(key, |slice| slice.lack(more));
        if !lack.is_zero() {
            self.draw(key, lack, lack, true).await?;
        }
        self.with(key, |slice| slice.reserve(more));
        Ok(())
    }

    pub(super) fn release(&self, key: Key, reserved: Amount) {
        self.with(key, |slice| slice.release(reserved));
    }

    pub(super) fn spend(&self, key: Key, amount: Amount) {
        self.with(key, |slice| slice.spend(amount));
    }

    /// Takes what is neither spent nor reserved out of a slice; answers what is to be kept. The caller holds its
    /// `changing`, or is the last one.
    fn cut_down(&self, key: Key) -> Keep {
        let amount = self.with(key, |slice| {
            let bound = slice.bound();
            slice.grant(bound);
            bound
        });
        Keep { budget: key.0, period_start: key.1, amount }
    }

    /// Gives back what is neither spent nor reserved of a slice whose `changing` the caller holds.
    async fn shrink(&self, key: Key) -> Result<(), StoreError> {
        let keep = vec![self.cut_down(key)];
        patiently("a budget", || self.store.give_back(self.worker, keep.clone())).await
    }

    /// Learns which tenants have budgets.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let tenants = self.store.budgeted_tenants().await?;
        self.state().tenants = tenants.into_iter().collect();
        Ok(())
    }

    /// Gives back what was not used for so long, and forgets slices of periods that are over.
    pub(super) async fn give_back_idle(&self, idle: Duration) -> Result<(), StoreError> {
        let Some(since) = Instant::now().checked_sub(idle) else { return Ok(()) };
        let idle: Vec<Key> = {
            let state = self.state();
            state.slices.iter().filter(|(_, slice)| slice.is_idle_since(since)).map(|(key, _)| *key).collect()
        };
        for key in idle {
            let changing = self.with(key, |slice| slice.changing.clone());
            let _changing = changing.lock().await;
            self.shrink(key).await?;
        }
        let mut state = self.state();
        let newest: HashMap<BudgetId, i64> = state.slices.keys().fold(HashMap::new(), |mut newest, key| {
            let start = newest.entry(key.0).or_insert(key.1);
            *start = key.1.max(*start);
            newest
        });
        state.slices.retain(|key, slice| newest.get(&key.0) == Some(&key.1) || !slice.is_over());
        Ok(())
    }

    /// Gives everything back that is not spent: the last act of an incarnation. It is tried once: where the store is away,
    /// whoever takes over settles the slices, and a worker that was asked to stop does not wait for it.
    pub async fn close(&self) -> Result<(), StoreError> {
        let keys: Vec<Key> = self.state().slices.keys().copied().collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.store.give_back(self.worker, keys.into_iter().map(|key| self.cut_down(key)).collect()).await
    }
}

fn unusable(error: StoreError) -> TaskError {
    TaskError::new(codes::INTERNAL_ERROR, format!("the task's budgets cannot be used: {error}"))
}

fn exceeded(payer: &Payer, spent: Amount, limits: BudgetLimits, bound: &Bound) -> String {
    let name = &payer.name;
    let most = bound.most;
    if let Some(max) = limits.max_tokens
        && most.tokens > max.saturating_sub(spent.tokens)
    {
        return format!(
            "the budget `{name}` has {} of {max} tokens left, and the next model call may take {} ({} bytes of request, \
             and an answer): raise the budget, or lower the model's `max_output_tokens`",
            max.saturating_sub(spent.tokens),
            most.tokens,
            bound.input_tokens
        );
    }
    let max = limits.max_cost.unwrap_or_default();
    format!(
        "the budget `{name}` has ${:.6} of ${:.6} left, and the next model call may cost ${:.6}: raise the budget, or \
         lower the model's `max_output_tokens`",
        Amount { cost: max, ..Amount::default() }.minus(spent).cost.as_usd(),
        max.as_usd(),
        most.cost.as_usd()
    )
}
