//! What travels over HTTP: requests, answers and events that server and CLI both speak.

mod agents;
mod budgets;
mod events;
mod health;
mod problem;
mod schedules;
mod tasks;
mod threads;
mod usage;

pub use agents::{AgentPage, AgentView, ToolView};
pub use budgets::{AmountView, BudgetBounds, BudgetPage, BudgetRequest, BudgetScopeView, BudgetView};
pub use events::{EndEvent, EntryEvent, ResetEvent, StartedEvent, StatusEvent, TokenEvent, event};
pub use health::{BareHealthView, HealthView};
pub use problem::{Problem, ProblemField};
pub use schedules::{
    FiringPage, FiringView, OccurrenceView, OccurrencesView, SchedulePage, ScheduleRequest, ScheduleView,
};
pub use tasks::{
    CountView, CreateTaskRequest, ExecuteRequest, JournalEntryView, JournalPage, LateResultView,
    ResolveRequest, SignalRequest, TaskPage, TaskView, UsageView,
};
pub use threads::{TaskThreadView, ThreadPage, ThreadRequest, ThreadView};
pub use usage::{UsageReport, UsageSumView};
