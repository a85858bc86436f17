//! What a worker counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use agenticai_domain::task::TaskStatus;
use agenticai_store::AppendOutcome;

/// A label with one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// Its value.
    pub kind: &'static str,
}

/// What a worker counts.
#[derive(Debug)]
pub struct WorkerMetrics {
    /// Tasks that a driver holds now.
    pub tasks_in_flight: Gauge,
    /// Claims.
    pub tasks_claimed: Counter,
    /// Ends, by status.
    pub tasks_ended: Family<Kind, Counter>,
    /// Effects that ended: `model` or `tool`.
    pub steps: Family<Kind, Counter>,
    /// Seconds of model and tool calls.
    pub step_seconds: Family<Kind, Histogram>,
    /// Tokens: `input`, `output`.
    pub tokens: Family<Kind, Counter>,
    /// Appended runs, by outcome.
    pub appends: Family<Kind, Counter>,
    /// Runs per batch.
    pub append_batch: Histogram,
    /// Runs that were handed in and are not committed yet.
    pub append_backlog: Gauge,
    /// Tasks that were taken over from dead workers.
    pub takeovers: Counter,
    /// Model calls that wait because a budget is short.
    pub budget_waiting: Gauge,
    /// Model calls that had to wait because a budget was short.
    pub budget_waits: Counter,
    /// Model calls that no budget could pay for.
    pub budget_refusals: Counter,
}

/// A model call that waits; dropped, it does not any more.
pub struct BudgetWait(Gauge);

impl Drop for BudgetWait {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self {
            tasks_in_flight: Gauge::default(),
            tasks_claimed: Counter::default(),
            tasks_ended: Family::default(),
            steps: Family::default(),
            step_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 4.0, 10))
            }),
            tokens: Family::default(),
            appends: Family::default(),
            append_batch: Histogram::new(exponential_buckets(1.0, 2.0, 8)),
            append_backlog: Gauge::default(),
            takeovers: Counter::default(),
            budget_waiting: Gauge::default(),
            budget_waits: Counter::default(),
            budget_refusals: Counter::default(),
        }
    }
}

impl WorkerMetrics {
    /// Makes everything visible under `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("agenticai_worker");
        r.register("tasks_in_flight", "Tasks that this worker advances now", self.tasks_in_flight.clone());
        r.register("tasks_claimed", "Tasks that this worker has claimed", self.tasks_claimed.clone());
        r.register("tasks_ended", "Tasks that have ended here, by status", self.tasks_ended.clone());
        r.register("steps", "Model and tool calls that have ended", self.steps.clone());
        r.register_with_unit(
            "step",
            "Duration of model and tool calls",
            Unit::Seconds,
            self.step_seconds.clone(),
        );
        r.register("tokens", "Tokens that models read and wrote", self.tokens.clone());
        r.register("appends", "Appended runs, by outcome", self.appends.clone());
        r.register("append_batch", "Runs that were committed together", self.append_batch.clone());
        r.register("append_backlog", "Runs that are not committed yet", self.append_backlog.clone());
        r.register("takeovers", "Tasks taken over from dead workers", self.takeovers.clone());
        r.register(
            "budget_waiting",
            "Model calls that wait because a budget is short",
            self.budget_waiting.clone(),
        );
        r.register(
            "budget_waits",
            "Model calls that had to wait because a budget was short",
            self.budget_waits.clone(),
        );
        r.register(
            "budget_refusals",
            "Model calls that a budget could not pay for",
            self.budget_refusals.clone(),
        );
    }

    /// Counts a model call that begins to wait for a budget.
    pub fn budget_wait(&self) -> BudgetWait {
        self.budget_waits.inc();
        self.budget_waiting.inc();
        BudgetWait(self.budget_waiting.clone())
    }

    /// Counts a run by what came of it.
    pub fn count_append(&self, outcome: &AppendOutcome) {
        let kind = match outcome {
            AppendOutcome::Accepted { .. } => "accepted",
            AppendOutcome::AlreadyMine { .. } => "already_mine",
            AppendOutcome::Fenced => "fenced",
            AppendOutcome::Overtaken => "overtaken",
            AppendOutcome::InboxMoved => "inbox_moved",
            AppendOutcome::Terminal(_) => "terminal",
            AppendOutcome::Refused(_) => "refused",
        };
        count(&self.appends, kind, 1);
    }

    /// Counts an end.
    pub fn count_end(&self, status: TaskStatus) {
        count(&self.tasks_ended, status.as_str(), 1);
    }
}

/// Adds to one counter of a family.
pub fn count(family: &Family<Kind, Counter>, kind: &'static str, by: u64) {
    family.get_or_create(&Kind { kind }).inc_by(by);
}
