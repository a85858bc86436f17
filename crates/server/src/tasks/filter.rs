//! Which tasks a list or a count is about.

use agenticai_domain::ids::{AgentId, TenantId};
use agenticai_domain::task::TaskStatus;
use agenticai_store::TaskFilter;

use crate::extract::Params;
use crate::problem::{ApiError, ApiResult, BAD_QUERY};
use crate::state::Api;

impl Api {
    /// Reads `status`, `agent`, `parent`, `paused` and `metadata.KEY` from a query.
    pub async fn task_filter(&self, tenant: TenantId, query: &mut Params) -> ApiResult<TaskFilter> {
        let status = match query.take("status")? {
            None => Vec::new(),
            Some(list) => list
                .split(',')
                .map(|name| name.trim().parse::<TaskStatus>())
                .collect::<Result<_, _>>()
                .map_err(|why| ApiError::new(BAD_QUERY, why))?,
        };
        let agent = match query.take("agent")? {
            None => None,
            // An id is not looked up: the tasks of a deleted agent can be listed by it.
            Some(which) => Some(match which.parse::<AgentId>() {
                Ok(id) => id,
                Err(_) => self.agent(tenant, &which, None).await?.version.id,
            }),
        };
        Ok(TaskFilter {
            status,
            agent,
            parent: query.parse("parent")?,
            thread: None,
            paused: query.parse::<bool>("paused")?.unwrap_or(false),
            metadata: query.prefixed("metadata."),
        })
    }
}
