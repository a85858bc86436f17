//! Tasks.

pub(crate) mod cancel;
pub(crate) mod count;
pub(crate) mod create;
pub(crate) mod deliver;
pub(crate) mod filter;
pub(crate) mod get;
pub(crate) mod input;
pub(crate) mod journal;
pub(crate) mod list;
pub(crate) mod request;
pub(crate) mod resolve;
pub(crate) mod signals;
pub(crate) mod standing;
pub(crate) mod stream;
pub(crate) mod view;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_store::TaskRow;

use crate::extract::unknown_task;
use crate::problem::ApiResult;
use crate::state::Api;

impl Api {
    /// A task's row, or the problem that there is none.
    pub async fn task(&self, tenant: TenantId, id: TaskId) -> ApiResult<TaskRow> {
        self.store.task(tenant, id).await?.ok_or_else(|| unknown_task(id))
    }
}
