//! What a check found.

use std::collections::BTreeMap;
use std::fmt;

/// A promise that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Every task that was accepted exists.
    AcceptedIsKept,
    /// Every accepted task ends.
    TasksEnd,
    /// One idempotency key makes one task.
    KeyNamesOneTask,
    /// Seqs are 1..n without holes.
    SeqWithoutHoles,
    /// Epochs never fall.
    EpochNeverFalls,
    /// Times of entries never fall.
    TimeNeverFalls,
    /// A journal has exactly one terminal entry, and it is the last.
    OneEndAndLast,
    /// The task's state is what its terminal entry says.
    StatusAsJournaled,
    /// Turns are 1..n, each once.
    TurnsWithoutHoles,
    /// A step has at most one result, and its turn is journaled before it.
    OneResultPerStep,
    /// The result of a `once` call follows its `started`.
    StartedBeforeResult,
    /// A message from the inbox is consumed at most once.
    MessageConsumedOnce,
    /// No call of a step begins after the step's result is committed.
    NoCallAfterCommit,
    /// A `once` call is sent at most once for each attempt that was journaled.
    OnceNotRepeated,
    /// A `once` call is sent only after its `started` is committed.
    OnceStartedFirst,
    /// All calls of a step carry one idempotency key that no other step carries.
    OneKeyPerStep,
    /// A result that was journaled comes from a call that was answered.
    ResultHasItsCall,
    /// Every call belongs to a task and a step.
    CallHasItsTask,
    /// A task that has not ended is in exactly one place: a live owner's hands, the queue, a wait. One that has ended is
    /// in none.
    OnePlace,
    /// Nothing waits whose time has come.
    TimersRing,
    /// Nothing waits for a signal that has come.
    SignalsWake,
    /// A model is asked again only where the answer was lost with the process that had asked.
    RepeatsHaveCauses,
    /// At most one task of a thread is active.
    OneActivePerThread,
    /// What a budget has spent is what the entries say, within its bound, and at rest nothing of it is reserved.
    BudgetsAddUp,
    /// Who follows a task sees each entry once and in order, whatever connections break.
    StreamAsJournaled,
}

impl Rule {
    /// The number of the invariant in the engine's rules that this is a part of.
    pub fn invariant(self) -> u8 {
        match self {
            Self::AcceptedIsKept | Self::TasksEnd | Self::KeyNamesOneTask => 1,
            Self::SeqWithoutHoles | Self::TimeNeverFalls | Self::TurnsWithoutHoles => 2,
            Self::OneEndAndLast | Self::StatusAsJournaled => 3,
            Self::OneResultPerStep | Self::StartedBeforeResult | Self::ResultHasItsCall => 4,
            Self::NoCallAfterCommit | Self::CallHasItsTask | Self::RepeatsHaveCauses => 5,
            Self::OnceNotRepeated | Self::OnceStartedFirst | Self::OneKeyPerStep => 6,
            Self::EpochNeverFalls => 7,
            Self::MessageConsumedOnce | Self::TimersRing | Self::SignalsWake => 8,
            Self::OnePlace => 9,
            Self::BudgetsAddUp => 10,
            Self::StreamAsJournaled => 11,
            Self::OneActivePerThread => 12,
        }
    }
}

/// The invariants in order, each in a few words.
pub const INVARIANTS: [(u8, &str); 12] = [
    (1, "every 201 has one task, every key one"),
    (2, "seqs without holes, epochs never fall"),
    (3, "one terminal entry, the last, as the state says"),
    (4, "one result per step, `once` results after `started`"),
    (5, "no call begins after its step's commit; repeats have causes"),
    (6, "`once` calls once per attempt, one key per step"),
    (7, "no entry of an epoch after one of a later epoch"),
    (8, "signals consumed once; no wait sleeps through its call"),
    (9, "each open task in exactly one place"),
    (10, "budgets add up to the entries; at rest nothing is reserved"),
    (11, "streams show the journal, across reconnects"),
    (12, "one active task per thread"),
];

/// One broken promise.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// Whose.
    pub task: String,
    /// What was seen.
    pub detail: String,
}

/// What was counted: a check that saw nothing proves nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks, children included.
    pub tasks: usize,
    /// Keys that clients were promised a task for.
    pub accepted: usize,
    /// Journal entries.
    pub entries: usize,
    /// Model calls that the stub saw.
    pub model_calls: usize,
    /// Tool calls by tool.
    pub tool_calls: BTreeMap<String, usize>,
    /// Steps whose calls were more than one, by what was called.
    pub repeated: BTreeMap<String, usize>,
    /// Steps that became uncertain.
    pub uncertain: usize,
    /// Kills.
    pub kills: usize,
    /// Kills with at least one call in flight.
    pub kills_in_flight: usize,
    /// Calls that carried no task.
    pub untagged: usize,
    /// Tasks with entries of more than one epoch.
    pub taken_over: usize,
    /// Model calls beyond the first of their step.
    pub model_repeats: usize,
    /// Of these, those whose call before was lost with a process that was killed, frozen or cut off.
    pub model_repeats_struck: usize,
    /// Of these, those whose call before was lost with a worker that was declared dead although nobody had struck it: a
    /// busy machine can do that.
    pub model_repeats_lost: usize,
    /// Calls after their step's commit by a process that was frozen before it could send them.
    pub by_woken: usize,
    /// Places of tasks that were looked at, over all snapshots of the database.
    pub places: usize,
    /// Of these, places in the queue of a thread.
    pub queued: usize,
    /// Threads of which more than one task was worked on.
    pub threads: usize,
    /// Tokens that entries say were spent, where a budget pays for them.
    pub tokens: u64,
    /// Streams that were followed to their end.
    pub streams: usize,
    /// Connections that these took.
    pub stream_connections: usize,
}

/// The result of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// Every broken promise.
    pub violations: Vec<Violation>,
    /// What was counted.
    pub counts: Counts,
}

impl Report {
    /// Notes a broken promise.
    pub fn broken(&mut self, rule: Rule, task: impl ToString, detail: impl Into<String>) {
        self.violations.push(Violation { rule, task: task.to_string(), detail: detail.into() });
    }

    /// How often a rule was broken.
    pub fn count(&self, rule: Rule) -> usize {
        self.violations.iter().filter(|v| v.rule == rule).count()
    }

    /// The invariants, one a line, with what was found.
    pub fn invariants(&self) -> String {
        let line = |&(number, words): &(u8, &str)| {
            let broken = self.violations.iter().filter(|v| v.rule.invariant() == number).count();
            let found = if broken == 0 { "holds".to_owned() } else { format!("BROKEN {broken}x") };
            format!("  {number:>2}  {words:<62}{found:>12}\n")
        };
        INVARIANTS.iter().map(line).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.counts;
        let mut row = |what: &str, n: usize| writeln!(f, "  {what:<52}{n:>8}");
        row("tasks accepted", c.accepted)?;
        row("tasks in all, children included", c.tasks)?;
        row("journal entries", c.entries)?;
        row("kills", c.kills)?;
        row("kills with a call in flight", c.kills_in_flight)?;
        row("tasks with entries of more than one epoch", c.taken_over)?;
        row("model calls seen by the stub", c.model_calls)?;
        for (tool, n) in &c.tool_calls {
            row(&format!("calls of `{tool}` seen by the stub"), *n)?;
        }
        for (what, n) in &c.repeated {
            row(&format!("steps of `{what}` with more than one call"), *n)?;
        }
        row("steps that became uncertain", c.uncertain)?;
        row("untagged calls", c.untagged)?;
        row("lost tasks", self.count(Rule::AcceptedIsKept) + self.count(Rule::TasksEnd))?;
        row("calls begun after their step's commit", self.count(Rule::NoCallAfterCommit))?;
        row("`once` calls repeated", self.count(Rule::OnceNotRepeated))?;
        row("broken promises in all", self.violations.len())?;
        for v in self.violations.iter().take(50) {
            writeln!(f, "  BROKEN {:?}: task {}: {}", v.rule, v.task, v.detail)?;
        }
        Ok(())
    }
}
