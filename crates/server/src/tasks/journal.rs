//! `GET /api/v1/tasks/{id}/journal`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_domain::journal::Recorded;
use agenticai_wire::{JournalEntryView, JournalPage};

use super::view::rfc3339;
use crate::auth::Auth;
use crate::extract::{ApiPath, Params, task_id};
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;

/// A task's journal: every committed step, oldest first.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/journal", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 where nothing is said. An operator may set other numbers"),
        ("cursor" = Option<u64>, Query, description = "`next_cursor` of the page before: the last seq seen")
    ),
    responses((status = 200, description = "The entries", body = JournalPage))
)]
pub(crate) async fn read_journal(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(id): ApiPath<String>,
    mut query: Params,
) -> ApiResult<Json<JournalPage>> {
    let (limit, after) = (query.limit()?, query.parse::<u64>("cursor")?.unwrap_or(0));
    query.done()?;
    let id = task_id(&id)?;
    api.task(who.tenant, id).await?;
    // One more than asked tells whether there is another page.
    let mut entries = api.store.read_journal(who.tenant, id, after, limit + 1).await?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next_cursor = entries.last().filter(|_| more).map(|last| last.seq.to_string());
    let items = entries.iter().map(entry_view).collect::<ApiResult<_>>()?;
    Ok(Json(JournalPage { items, next_cursor }))
}

/// An entry as an answer.
pub(crate) fn entry_view(recorded: &Recorded) -> ApiResult<JournalEntryView> {
    Ok(JournalEntryView {
        seq: recorded.seq,
        epoch: recorded.epoch,
        at: rfc3339(recorded.at),
        entry: serde_json::to_value(&recorded.entry).map_err(ApiError::internal)?,
    })
}
