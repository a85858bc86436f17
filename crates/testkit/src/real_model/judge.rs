//! Whether the tasks' states are true, whatever the model said.

use std::collections::BTreeMap;
use std::fmt;

use agenticai_domain::ids::StepId;
use agenticai_domain::journal::{CallOutcome, Entry, Recorded, TurnOutcome};
use agenticai_domain::spec::AgentKind;
use agenticai_domain::task::TaskStatus;
use agenticai_wire::TaskView;

use crate::api::Api;
use crate::checker::{TaskRecord, check_journals};

/// What the tasks of a server came to.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Tasks.
    pub tasks: usize,
    /// Of them those in which the calculator was called with arguments that fit its schema.
    pub called: usize,
    /// Of them those in which it could compute what it was given.
    computed: usize,
    /// Of them those whose answer holds the right number.
    right: usize,
    statuses: BTreeMap<&'static str, usize>,
    codes: BTreeMap<String, usize>,
    /// States that are not true.
    pub faults: Vec<String>,
}

/// Reads every task and its journal.
pub async fn judge(api: &Api) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut records = Vec::new();
    for task in api.tasks("").await? {
        let journal = api.journal(task.id).await?;
        verdict.add(&task, &journal);
        records.push(TaskRecord {
            id: task.id,
            parent: task.parent,
            thread: task.thread.as_ref().map(|thread| thread.id),
            status: task.status,
            kind: AgentKind::React,
            journal,
        });
    }
    let report = check_journals(&records);
    verdict
        .faults
        .extend(report.violations.iter().map(|v| format!("{:?}: {}: {}", v.rule, v.task, v.detail)));
    Ok(verdict)
}

impl Verdict {
    fn add(&mut self, task: &TaskView, journal: &[Recorded]) {
        self.tasks += 1;
        *self.statuses.entry(task.status.as_str()).or_default() += 1;
        let results: BTreeMap<StepId, &CallOutcome> = (journal.iter())
            .filter_map(|recorded| match &recorded.entry {
                Entry::CallEnded(ended) => Some((ended.step, &ended.outcome)),
                _ => None,
            })
            .collect();
        let (mut called, mut computed) = (false, false);
        for recorded in journal {
            let Entry::Turn(turn) = &recorded.entry else { continue };
            let TurnOutcome::Answer { calls, .. } = &turn.outcome else { continue };
            for (i, call) in calls.iter().enumerate() {
                let fits = call.name == "calculator" && call.rejected.is_none();
                let result = results.get(&StepId::call(turn.turn, i as u32));
                called |= fits && call.arguments["expression"].is_string() && result.is_some();
                computed |= fits && matches!(result, Some(CallOutcome::Ok { .. }));
            }
        }
        self.called += usize::from(called);
        self.computed += usize::from(computed);
        self.right +=
            usize::from(task.output.as_ref().is_some_and(|output| output.to_string().contains("397.8")));
        let true_state = match task.status {
            TaskStatus::Completed => task.output.is_some() && task.error.is_none(),
            TaskStatus::Failed => task.output.is_none() && task.error.is_some(),
            _ => false,
        };
        if let Some(error) = &task.error {
            *self.codes.entry(error.code.clone()).or_default() += 1;
        }
        if !true_state {
            let status = task.status.as_str();
            self.faults
                .push(format!("{} is {status}: output {:?}, error {:?}", task.id, task.output, task.error));
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  tasks: {}, by state {:?}, by error {:?}", self.tasks, self.statuses, self.codes)?;
        writeln!(f, "  calculator called with valid arguments: {} of {}", self.called, self.tasks)?;
        writeln!(f, "  of these it could compute what it was given: {}", self.computed)?;
        write!(f, "  answers that hold 397.8: {}", self.right)
    }
}
