//! How a task stands by its journal: rows are written at claim, wait and end only, the journal knows the rest.

use agenticai_domain::engine::State;
use agenticai_domain::ids::StepId;
use agenticai_domain::journal::{Entry, ModelAttempt, Recorded};
use agenticai_domain::task::{WaitKind, WaitingFor};
use agenticai_domain::usage::Spend;
use agenticai_store::{StoreError, TaskRow, read_whole_journal};

use crate::agents::cache::Prepared;
use crate::problem::ApiResult;
use crate::state::Api;

/// How a task stands by its journal.
pub(crate) struct Standing {
    /// All entries.
    pub journal: Vec<Recorded>,
    /// Consumed so far.
    pub spend: Spend,
    /// What it waits for.
    pub waiting_for: Vec<WaitingFor>,
    /// The model call that was answered last.
    pub answered_by: Option<ModelAttempt>,
}

impl Standing {
    /// What the step waits for, if it is this.
    pub fn wait(&self, step: StepId, kind: WaitKind) -> Option<&WaitingFor> {
        self.waiting_for.iter().find(|wait| wait.step == step && wait.kind == kind)
    }

    /// The attempt of the step's newest call whose outcome is or was unknown.
    pub fn uncertain_attempt(&self, step: StepId) -> Option<u32> {
        self.journal.iter().rev().find_map(|recorded| match &recorded.entry {
            Entry::CallUncertain(call) if call.step == step => Some(call.attempt),
            _ => None,
        })
    }
}

impl Api {
    /// Reads and folds a task's journal. Where it cannot be read, the row's word is taken, so that such a task can
    /// still be looked at and cancelled.
    pub async fn standing(&self, row: &TaskRow, agent: &Prepared) -> ApiResult<Standing> {
        let (tenant, id) = (row.head.tenant, row.head.id);
        match read_whole_journal(self.store.as_ref(), tenant, id).await {
            Ok(journal) => Ok(fold(row, agent, journal)),
            Err(StoreError::Unreadable(why)) => {
                tracing::warn!(task = %id, why, "the journal cannot be read");
                Ok(by_row(row, Vec::new()))
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// Folds a journal with the engine.
fn fold(row: &TaskRow, agent: &Prepared, journal: Vec<Recorded>) -> Standing {
    let state = agent.compiled().and_then(|agent| {
        State::replay(agent, &row.head, &journal).map(|state| (state, agent)).map_err(|e| e.to_string())
    });
    match state {
        Ok((state, agent)) => Standing {
            spend: state.spend(),
            waiting_for: state.waiting_for(agent),
            answered_by: state.last_request().cloned(),
            journal,
        },
        Err(why) => {
            tracing::warn!(task = %row.head.id, why, "the journal cannot be replayed");
            by_row(row, journal)
        }
    }
}

/// What is known without the engine.
fn by_row(row: &TaskRow, journal: Vec<Recorded>) -> Standing {
    Standing { journal, spend: row.spend, waiting_for: row.waiting_for.clone(), answered_by: None }
}
