//! `GET /api/v1/tasks/{id}/events`: a task's journal as server-sent events, live.

mod hub;
mod reader;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use agenticai_wire::{EndEvent, EntryEvent, ResetEvent, StartedEvent, StatusEvent, TokenEvent};

use crate::auth::Auth;
use crate::extract::{ApiPath, Params, header_text, task_id};
use crate::problem::{ApiError, ApiResult, BAD_HEADER, UNAVAILABLE};
use crate::state::Api;

pub(crate) use hub::{Hub, Watch};
use reader::Reader;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A task's events: first what its journal says already, then what happens, until the task has ended.
///
/// The data of every event is JSON; its name says of which shape:
///
/// | event | data | what it means |
/// | --- | --- | --- |
/// | `entry` | `JournalEntryView` | a committed journal entry; its SSE id is the entry's `seq` |
/// | `status` | `StatusEvent` | the task's status or what it waits for has changed |
/// | `started` | `StartedEvent` | a step began; not committed |
/// | `token` | `TokenEvent` | a piece of an answer; not committed. Pieces of a lower epoch or attempt than one seen before are void |
/// | `reset` | `ResetEvent` | the client's `Last-Event-ID` is beyond the journal: forget everything, it begins anew |
/// | `end` | `TaskView` | the task as it ended; the stream ends after it |
///
/// Only `entry` events have ids. A client that reconnects with `Last-Event-ID` gets every later entry exactly once.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/events", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last id seen: the stream goes on after it"),
        ("after" = Option<u64>, Query, description = "The same, for clients that cannot set headers; the header goes first")
    ),
    responses((
        status = 200, description = "The events", content_type = "text/event-stream",
        body = TaskEvent
    ))
)]
pub(crate) async fn stream_task(
    State(api): State<Arc<Api>>,
    Auth(who): Auth,
    ApiPath(id): ApiPath<String>,
    mut query: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let from_query = query.parse::<u64>("after")?;
    query.done()?;
    let after = match headers.get(LAST_EVENT_ID) {
        None => from_query.unwrap_or(0),
        Some(_) => {
            header_text(&headers, &LAST_EVENT_ID).and_then(|text| text.trim().parse().ok()).ok_or_else(
                || ApiError::new(BAD_HEADER, "`Last-Event-ID` must be the id of an `entry` event."),
            )?
        }
    };
    let id = task_id(&id)?;
    api.task(who.tenant, id).await?;
    if api.shutdown.is_cancelled() {
        return Err(ApiError::new(UNAVAILABLE, "The server is stopping: connect again."));
    }
    let reader = Reader::open(api.clone(), who.tenant, id, after);
    let events = stream::unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(api.settings.keep_alive));
    // nginx gathers answers unless it is told not to.
    Ok(([("x-accel-buffering", "no")], sse).into_response())
}

/// The data of an event; the event's name, which is the title here, says of which shape.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes the stream in the OpenAPI document and is never made")]
enum TaskEvent {
    #[schema(title = "entry")]
    Entry(EntryEvent),
    #[schema(title = "token")]
    Token(TokenEvent),
    #[schema(title = "started")]
    Started(StartedEvent),
    #[schema(title = "status")]
    Status(StatusEvent),
    #[schema(title = "reset")]
    Reset(ResetEvent),
    #[schema(title = "end")]
    End(Box<EndEvent>),
}

/// An event with JSON data.
fn event<T: serde::Serialize>(name: &str, data: &T) -> Event {
    Event::default().event(name).json_data(data).unwrap_or_else(|error| {
        tracing::error!(name, %error, "an event could not be written");
        Event::default().comment("an event could not be written")
    })
}
