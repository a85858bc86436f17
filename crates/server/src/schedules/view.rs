//! Schedules and their firings as answers.

use agenticai_domain::schedule::{Firing, FiringState};
use agenticai_store::ScheduleRow;
use agenticai_wire::{FiringView, ScheduleView};

use crate::tasks::view::rfc3339;

/// A schedule as it stands.
pub(crate) fn schedule_view(row: &ScheduleRow) -> ScheduleView {
    let spec = &row.spec;
    ScheduleView {
        id: row.id,
        name: spec.name.clone(),
        agent: spec.agent.clone(),
        agent_version: spec.agent_version,
        input: spec.input.clone(),
        cron: spec.cron.clone(),
        timezone: spec.timezone.clone(),
        overlap: spec.overlap,
        catch_up: spec.catch_up,
        catch_up_window_seconds: spec.window_ms().unsigned_abs() / 1000,
        priority: spec.priority(),
        timeout_seconds: spec.timeout_seconds,
        metadata: spec.metadata.clone(),
        paused: row.paused,
        next_fire_at: row.next_fire_at.map(rfc3339),
        last_fire_at: row.last_fire_at.map(rfc3339),
        last_task: row.last_task,
        created_at: rfc3339(row.created_at),
        updated_at: rfc3339(row.updated_at),
    }
}

/// A firing.
pub(crate) fn firing_view(firing: &Firing) -> FiringView {
    FiringView {
        due_at: rfc3339(firing.due_at),
        triggered: firing.triggered,
        state: firing.state,
        task: (firing.state == FiringState::Created).then_some(firing.task),
        why: firing.why.clone(),
        at: rfc3339(firing.at),
    }
}
