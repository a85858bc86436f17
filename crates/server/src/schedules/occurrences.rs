//! `GET /api/v1/schedules/{id}/occurrences`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use agenticai_wire::{OccurrenceView, OccurrencesView};

use super::rule_of;
use crate::auth::Auth;
use crate::extract::{ApiPath, Params};
use crate::problem::{ApiError, ApiResult, BAD_QUERY};
use crate::state::Api;
use crate::tasks::view::rfc3339;

const DEFAULT: usize = 5;
const MOST: usize = 100;

/// The next times at which a schedule fires, or would fire if it were not paused.
#[utoipa::path(
    get, path = "/api/v1/schedules/{id}/occurrences", tag = "schedules",
    params(
        ("id" = String, Path, description = "The schedule's name or id"),
        ("n" = Option<u32>, Query, description = "How many: 1 to 100; 5 where nothing is said")
    ),
    responses((status = 200, description = "The times", body = OccurrencesView))
)]
pub(crate) async fn list_occurrences(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(which): ApiPath<String>,
    mut query: Params,
) -> ApiResult<Json<OccurrencesView>> {
    let count = query.parse::<usize>("n")?.unwrap_or(DEFAULT);
    query.done()?;
    if !(1..=MOST).contains(&count) {
        return Err(ApiError::new(BAD_QUERY, format!("`n={count}` does not fit: use 1 to {MOST}.")));
    }
    let row = api.schedule(who.tenant, &which).await?;
    let rule = rule_of(&row)?;
    let view = |at| OccurrenceView { at: rfc3339(at), local: rule.local(at).unwrap_or_default() };
    let items = rule.following(api.store.now().await?).take(count).map(view).collect();
    Ok(Json(OccurrencesView { items }))
}
