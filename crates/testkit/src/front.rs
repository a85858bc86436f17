//! Something that stands before a store and passes on what it does not do itself: broken stores, lossy stores.

use async_trait::async_trait;

use agenticai_domain::budget::BudgetLimits;
use agenticai_domain::ids::{AgentId, ScheduleId, StepId, TaskId, TenantId};
use agenticai_domain::inbox::{InboxBody, InboxMessage};
use agenticai_domain::journal::Recorded;
use agenticai_domain::outcome::ToolOutcome;
use agenticai_domain::schedule::Firing;
use agenticai_domain::spec::AgentVersion;
use agenticai_domain::task::{End, TaskStatus};
use agenticai_domain::usage::Spend;
use agenticai_store::*;

/// Makes the trait [`Front`] with a default for every method, and the store's traits for [`Fronted`].
macro_rules! front {
    ($($of:ident { $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)* })*) => {
        /// Every method of a store, each passed on to the store behind unless it is written anew.
        #[async_trait]
        #[allow(missing_docs)]
        pub trait Front: Send + Sync + 'static {
            /// The store behind.
            fn behind(&self) -> &dyn Store;
            $($(async fn $name(&self, $($arg: $ty),*) -> Result<$ret> {
                self.behind().$name($($arg),*).await
            })*)*
        }
        $(#[async_trait]
        impl<F: Front> $of for Fronted<F> {
            $(async fn $name(&self, $($arg: $ty),*) -> Result<$ret> {
                self.0.$name($($arg),*).await
            })*
        })*
    };
}

/// A [`Front`] as a store.
pub struct Fronted<F>(pub F);

front! {
    Identity {
        bootstrap(first: Bootstrap) -> Option<Principal>;
        create_tenant(new: Bootstrap) -> Option<Principal>;
        add_owner_key(key: KeyHash) -> Option<Principal>;
        authenticate(key: KeyHash) -> Option<Principal>;
    }
    Agents {
        create_agent(new: NewAgentVersion) -> CreateAgent;
        put_agent(new: NewAgentVersion) -> PutAgent;
        agent(tenant: TenantId, which: AgentSelector, version: Option<u32>) -> Option<AgentVersion>;
        agent_of_task(tenant: TenantId, id: AgentId, version: u32) -> Option<AgentVersion>;
        list_agents(tenant: TenantId, cursor: Option<String>, limit: u32) -> Page<AgentVersion>;
        list_agent_versions(tenant: TenantId, id: AgentId, cursor: Option<u32>, limit: u32) -> Page<AgentVersion>;
        delete_agent(tenant: TenantId, which: AgentSelector) -> bool;
    }
    Tasks {
        create_task(new: CreateTask) -> CreateTaskOutcome;
        task_by_key(tenant: TenantId, key: String) -> Option<(TaskRow, [u8; 32])>;
        task(tenant: TenantId, id: TaskId) -> Option<TaskRow>;
        list_tasks(tenant: TenantId, filter: TaskFilter, cursor: Option<String>, limit: u32) -> Page<TaskRow>;
        count_tasks(tenant: TenantId, filter: TaskFilter) -> u64;
        end_task(tenant: TenantId, id: TaskId, seq: u64, end: End, spend: Spend) -> EndOutcome;
        deliver(tenant: TenantId, id: TaskId, dedupe: String, body: InboxBody) -> DeliverOutcome;
        orphans(limit: u32) -> Vec<(TenantId, TaskId)>;
    }
    Threads {
        create_thread(new: NewThread) -> CreateThread;
        thread(tenant: TenantId, which: ThreadSelector) -> Option<ThreadRow>;
        list_threads(tenant: TenantId, cursor: Option<String>, limit: u32) -> Page<ThreadRow>;
        delete_thread(tenant: TenantId, which: ThreadSelector) -> DeleteThread;
        superseded(limit: u32) -> Vec<(TenantId, TaskId)>;
    }
    Journal {
        append(worker: WorkerId, runs: Vec<Append>) -> Vec<AppendOutcome>;
        read_journal(tenant: TenantId, task: TaskId, after: u64, limit: u32) -> Vec<Recorded>;
        last_seqs(tasks: Vec<TaskId>) -> Vec<(TaskId, u64, TaskStatus)>;
        inbox(task: TaskId, after: u64) -> Vec<InboxMessage>;
        keep_late_result(task: TaskId, epoch: u32, outcome: ToolOutcome) -> ();
        late_results(tenant: TenantId, task: TaskId) -> Vec<(u32, StepId, String)>;
    }
    Leases {
        register_worker(info: WorkerInfo) -> WorkerId;
        beat(worker: WorkerId) -> Beat;
        observe_workers() -> Vec<Observed>;
        mark_dead(worker: WorkerId, beats: i64) -> bool;
        take_over(limit: u32) -> u32;
        claim(worker: WorkerId, wanted: Wanted) -> Vec<Claimed>;
        suspects() -> Suspects;
        crashed(name: String, isolation: Isolation) -> ();
        held(worker: WorkerId) -> Vec<TaskId>;
        release(worker: WorkerId, tasks: Vec<TaskId>) -> ();
        retire_worker(worker: WorkerId) -> ();
        wake_due(limit: u32) -> u32;
        next_due_in() -> Option<u64>;
        ready_by_priority() -> Vec<ReadyClass>;
        backlog() -> (u64, u64);
        now() -> i64;
    }
    Maintenance {
        declare_restored() -> u64;
        release_paused(which: PausedTasks) -> u64;
    }
    Schedules {
        create_schedule(new: NewSchedule) -> PutSchedule;
        change_schedule(tenant: TenantId, id: ScheduleId, change: ChangeSchedule) -> PutSchedule;
        schedule(tenant: TenantId, which: ScheduleSelector) -> Option<ScheduleRow>;
        list_schedules(tenant: TenantId, cursor: Option<String>, limit: u32) -> Page<ScheduleRow>;
        delete_schedule(tenant: TenantId, which: ScheduleSelector) -> bool;
        firings(tenant: TenantId, schedule: ScheduleId, limit: u32) -> Vec<Firing>;
        due_schedules(limit: u32) -> Vec<ScheduleRow>;
        next_occurrence_in() -> Option<u64>;
        fire(fire: Fire) -> FireOutcome;
        queued_firings(limit: u32) -> Vec<QueuedFiring>;
        start_queued(tenant: TenantId, schedule: ScheduleId, firing: NewFiring) -> Option<Firing>;
    }
    Budgets {
        create_budget(new: NewBudget) -> CreateBudget;
        budget(tenant: TenantId, which: BudgetSelector) -> Option<BudgetRow>;
        list_budgets(tenant: TenantId, cursor: Option<String>, limit: u32) -> Page<BudgetRow>;
        limit_budget(tenant: TenantId, which: BudgetSelector, limits: BudgetLimits) -> bool;
        delete_budget(tenant: TenantId, which: BudgetSelector) -> bool;
        budgeted_tenants() -> Vec<TenantId>;
        payers(tenant: TenantId, task: TaskId) -> Vec<Payer>;
        draw(worker: WorkerId, request: DrawRequest) -> Draw;
        give_back(worker: WorkerId, keep: Vec<Keep>) -> ();
    }
    Usages {
        usage(tenant: TenantId, from: i64, until: i64, by: UsageBy, limit: u32) -> Vec<UsageSum>;
        roll_up_usage(limit: u32) -> u32;
    }
}
