//! Tasks as answers.

use agenticai_domain::task::End;
use agenticai_domain::usage::Spend;
use agenticai_store::TaskRow;
use agenticai_wire::{TaskThreadView, TaskView, UsageView};

use super::standing::Standing;
use crate::agents::cache::Prepared;
use crate::problem::ApiResult;
use crate::state::Api;

impl Api {
    /// A task as it stands now: the row, and the journal where it knows more.
    pub async fn task_view(&self, row: &TaskRow) -> ApiResult<TaskView> {
        let agent = self.agent_of_task(row.head.tenant, row.head.agent, row.head.agent_version).await?;
        // A task that no worker ever had has no journal.
        if row.started_at.is_none() && row.last_seq == 0 {
            return Ok(row_view(row, &agent));
        }
        let standing = self.standing(row, &agent).await?;
        Ok(full_view(row, &agent, &standing))
    }
}

/// What the row alone says: enough for lists.
pub(crate) fn row_view(row: &TaskRow, agent: &Prepared) -> TaskView {
    let (output, error) = match &row.end {
        None => (None, None),
        Some(End::Completed { output }) => (Some(output.clone()), None),
        Some(End::Failed { error } | End::Cancelled { error }) => (None, Some(error.clone())),
    };
    TaskView {
        id: row.head.id,
        agent: row.agent_name.clone(),
        agent_id: row.head.agent,
        agent_version: row.head.agent_version,
        status: row.status,
        waiting_for: row.waiting_for.clone(),
        paused_at: row.paused_at.map(rfc3339),
        input: row.head.input.clone(),
        output,
        error,
        usage: usage(row.spend),
        model: agent.version.spec.model.as_ref().map(|model| model.name.clone()),
        provider: None,
        priority: row.head.priority,
        metadata: row.metadata.clone(),
        parent: row.head.parent.map(|parent| parent.task),
        thread: row.thread.as_ref().map(|thread| TaskThreadView {
            id: thread.id,
            name: thread.name.clone(),
            queue_place: thread.place,
        }),
        created_at: rfc3339(row.head.created_at),
        started_at: row.started_at.map(rfc3339),
        completed_at: row.completed_at.map(rfc3339),
        deadline_at: row.head.deadline_at.map(rfc3339),
        late_results: Vec::new(),
    }
}

/// The row with what the journal knows better.
pub(crate) fn full_view(row: &TaskRow, agent: &Prepared, standing: &Standing) -> TaskView {
    let mut view = row_view(row, agent);
    if !row.status.is_terminal() {
        view.usage = usage(standing.spend);
        view.waiting_for = standing.waiting_for.clone();
    }
    if let Some(by) = &standing.answered_by {
        view.model = Some(by.model.clone());
        view.provider = Some(by.provider.clone());
    }
    view
}

fn usage(spend: Spend) -> UsageView {
    UsageView {
        input_tokens: spend.usage.input_tokens,
        output_tokens: spend.usage.output_tokens,
        cached_tokens: spend.usage.cached_tokens,
        reasoning_tokens: spend.usage.reasoning_tokens,
        cost_usd: spend.cost.map(|cost| cost.as_usd()),
    }
}

/// Milliseconds since 1970 as RFC 3339 in UTC, always with three digits of the second's fraction, so that texts sort
/// like times.
pub(crate) fn rfc3339(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(at) => format!("{at:.3}"),
        // Beyond the year 9999: no clock says so, and a deadline there means never.
        Err(_) => "9999-12-31T23:59:59.999Z".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_written_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_767_225_600_120), "2026-01-01T00:00:00.120Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
