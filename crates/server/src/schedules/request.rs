//! Checking what a schedule says, before it is stored.

use agenticai_domain::schedule::{Rule, ScheduleSpec};
use agenticai_domain::spec::SpecError;
use agenticai_store::Principal;
use agenticai_wire::{CreateTaskRequest, ScheduleRequest};

use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

impl Api {
    /// Every check of a request: of its rule, and of the task that it would create now. Answers the specification, its
    /// rule and the next occurrence.
    pub async fn check_schedule(
        &self,
        who: Principal,
        body: ScheduleRequest,
    ) -> ApiResult<(ScheduleSpec, Rule, i64)> {
        let spec = spec(body);
        let rule = spec.check().map_err(ApiError::invalid_schedule)?;
        let next = rule.after(self.store.now().await?).ok_or_else(|| {
            let message =
                format!("`{}` has no occurrence any more: look at its day, month and year", spec.cron);
            ApiError::invalid_schedule(vec![SpecError { path: "cron".to_owned(), message }])
        })?;
        let task = CreateTaskRequest {
            agent: spec.agent.clone(),
            agent_version: spec.agent_version,
            input: spec.input.clone(),
            priority: spec.priority,
            timeout_seconds: spec.timeout_seconds,
            metadata: spec.metadata.clone(),
            thread: None,
            if_active: None,
            budget: None,
        };
        self.check(who.tenant, &task).await?;
        Ok((spec, rule, next))
    }
}

fn spec(body: ScheduleRequest) -> ScheduleSpec {
    ScheduleSpec {
        name: body.name,
        agent: body.agent,
        agent_version: body.agent_version,
        input: body.input,
        priority: body.priority,
        timeout_seconds: body.timeout_seconds,
        metadata: body.metadata,
        cron: body.cron,
        timezone: body.timezone.unwrap_or_else(|| "UTC".to_owned()),
        overlap: body.overlap.unwrap_or_default(),
        catch_up: body.catch_up.unwrap_or_default(),
        catch_up_window_seconds: body.catch_up_window_seconds,
    }
}
