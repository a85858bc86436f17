//! `GET /api/v1/usage`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;

use agenticai_store::{HOUR_MS, UsageBy, UsageSum};
use agenticai_wire::{UsageReport, UsageSumView};

use crate::auth::Auth;
use crate::extract::Params;
use crate::problem::{ApiError, ApiResult, BAD_QUERY};
use crate::state::Api;
use crate::tasks::view::rfc3339;

/// Sums of one answer.
const MOST: u32 = 10_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// What is reported where nothing is said.
const DEFAULT_DAYS: i64 = 30;

/// What tasks have consumed, by the hour of their end. A task's tokens and cost include those of the tasks that it
/// called, which count as tasks only. The sums of a cluster are some seconds old.
#[utoipa::path(
    get, path = "/api/v1/usage", tag = "usage",
    params(
        ("from" = Option<String>, Query, description = "RFC 3339, rounded down to the hour; 30 days before `until` where nothing is said"),
        ("until" = Option<String>, Query, description = "RFC 3339, rounded up to the hour; now where nothing is said"),
        ("by" = Option<String>, Query, description = "How sums are told apart: `hour` or `day` (UTC), `agent`, `user`, with commas between")
    ),
    responses((status = 200, description = "The sums", body = UsageReport))
)]
pub(crate) async fn usage(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    mut query: Params,
) -> ApiResult<Json<UsageReport>> {
    let (from, until) = (query.parse::<Timestamp>("from")?, query.parse::<Timestamp>("until")?);
    let by = by(query.take("by")?.as_deref().unwrap_or_default())?;
    query.done()?;
    let until = match until {
        Some(until) => until.as_millisecond(),
        None => api.store.now().await?,
    };
    let until = until.saturating_add(HOUR_MS - 1).div_euclid(HOUR_MS) * HOUR_MS;
    let from =
        from.map_or(until - DEFAULT_DAYS * DAY_MS, Timestamp::as_millisecond).div_euclid(HOUR_MS) * HOUR_MS;
    if from >= until {
        return Err(ApiError::new(BAD_QUERY, "`from` must lie before `until`."));
    }
    let sums = api.store.usage(who.tenant, from, until, by, MOST + 1).await?;
    if sums.len() > MOST as usize {
        let detail =
            format!("There are more than {MOST} sums: ask for less time, or tell them apart by less.");
        return Err(ApiError::new(BAD_QUERY, detail));
    }
    Ok(Json(UsageReport {
        from: rfc3339(from),
        until: rfc3339(until),
        items: sums.into_iter().map(view).collect(),
    }))
}

fn by(text: &str) -> ApiResult<UsageBy> {
    let mut by = UsageBy::default();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "hour" if by.span_ms.is_none() => by.span_ms = Some(HOUR_MS),
            "day" if by.span_ms.is_none() => by.span_ms = Some(DAY_MS),
            "agent" => by.agent = true,
            "user" => by.user = true,
            _ => {
                let detail = format!("`by`: `{word}` does not fit: use `hour` or `day`, `agent`, `user`.");
                return Err(ApiError::new(BAD_QUERY, detail));
            }
        }
    }
    Ok(by)
}

fn view(sum: UsageSum) -> UsageSumView {
    let (agent_id, agent) = sum.agent.unzip();
    let usage = sum.spend.usage;
    UsageSumView {
        from: sum.from.map(rfc3339),
        agent,
        agent_id,
        user: sum.user,
        completed: sum.completed,
        failed: sum.failed,
        cancelled: sum.cancelled,
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cached_tokens: usage.cached_tokens,
        reasoning_tokens: usage.reasoning_tokens,
        cost_usd: sum.spend.cost.unwrap_or_default().as_usd(),
        unpriced: sum.unpriced,
    }
}
