//! A task's events, across broken connections and restarts of the server.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use reqwest::{Method, Response};

use agenticai_domain::ids::TaskId;
use agenticai_wire::{EndEvent, EntryEvent, StartedEvent, StatusEvent, TokenEvent, event};

use super::sse::{Frame, Frames};
use super::{Client, Path};
use crate::exit::{Exit, Failure, Result};

/// What happens on a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A committed journal entry, each once and in order.
    Entry(EntryEvent),
    /// A piece of an answer that is not committed yet.
    Token(TokenEvent),
    /// A step began.
    Started(StartedEvent),
    /// The status changed.
    Status(StatusEvent),
    /// The connection broke; it is being made again.
    Lost,
    /// The connection stands again.
    Back,
    /// The task has ended, and the stream with it.
    End(Box<EndEvent>),
}

/// Silence after which a connection counts as broken; the server sends comments far more often.
const SILENCE: Duration = Duration::from_secs(60);

/// A stream of one task.
pub struct TaskStream {
    client: Client,
    task: String,
    patience: Duration,
    /// Seq of the newest entry that was handed on.
    seen: u64,
    connection: Option<(Response, Frames)>,
    ready: VecDeque<Event>,
    /// Since when there is no connection, and the failures since.
    lost: Option<(Instant, u32)>,
}

impl TaskStream {
    /// Follows `task` from its first entry on. A server that stays away longer than `patience` is given up.
    pub fn new(client: Client, task: TaskId, patience: Duration) -> Self {
        Self {
            client,
            task: task.to_string(),
            patience,
            seen: 0,
            connection: None,
            ready: VecDeque::new(),
            lost: None,
        }
    }

    /// The next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let Some((connection, frames)) = &mut self.connection else {
                self.connect().await?;
                continue;
            };
            let bytes = tokio::time::timeout(SILENCE, connection.chunk()).await;
            match bytes {
                Ok(Ok(Some(bytes))) => {
                    for frame in frames.push(&bytes) {
                        if let Some(event) = read(&frame, &mut self.seen)? {
                            self.ready.push_back(event);
                        }
                    }
                }
                Ok(Ok(None) | Err(_)) | Err(_) => {
                    self.connection = None;
                    self.lost = Some((Instant::now(), 0));
                    self.ready.push_back(Event::Lost);
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<()> {
        if let Some((_, failures @ 1..)) = self.lost {
            tokio::time::sleep(Duration::from_millis(100 << failures.min(5))).await;
        }
        let segments = ["api", "v1", "tasks", &self.task, "events"];
        let mut request =
            self.client.request(Method::GET, Path::to(&segments)).header("accept", "text/event-stream");
        if self.seen > 0 {
            request = request.header("last-event-id", self.seen.to_string());
        }
        let failure = match request.send().await {
            Err(error) => self.client.unreachable(&error),
            Ok(answer) => match self.client.accept(answer).await {
                Ok(answer) => {
                    self.connection = Some((answer, Frames::default()));
                    if self.lost.take().is_some() {
                        self.ready.push_back(Event::Back);
                    }
                    return Ok(());
                }
                // A server that is starting or stopping says so; any other refusal is final.
                Err(failure) if failure.problem.as_ref().is_some_and(|p| p.status == 503) => failure,
                Err(failure) => return Err(failure),
            },
        };
        let (since, failures) = self.lost.unwrap_or((Instant::now(), 0));
        if since.elapsed() >= self.patience {
            return Err(failure);
        }
        self.lost = Some((since, failures + 1));
        Ok(())
    }
}

/// What a frame says. An entry that was seen before says nothing: a server may repeat where it is not sure.
fn read(frame: &Frame, seen: &mut u64) -> Result<Option<Event>> {
    let data = frame.data.as_str();
    let bad = |error: serde_json::Error| {
        Failure::new(
            Exit::Failed,
            format!("the server sent an event `{}` that makes no sense: {error}", frame.event),
        )
    };
    Ok(match frame.event.as_str() {
        event::ENTRY => {
            let entry: EntryEvent = serde_json::from_str(data).map_err(bad)?;
            if entry.seq <= *seen {
                return Ok(None);
            }
            *seen = entry.seq;
            Some(Event::Entry(entry))
        }
        event::TOKEN => Some(Event::Token(serde_json::from_str(data).map_err(bad)?)),
        event::STARTED => Some(Event::Started(serde_json::from_str(data).map_err(bad)?)),
        event::STATUS => Some(Event::Status(serde_json::from_str(data).map_err(bad)?)),
        event::END => Some(Event::End(Box::new(serde_json::from_str(data).map_err(bad)?))),
        event::RESET => {
            *seen = 0;
            None
        }
        // A newer server may say more.
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entry(seq: u64) -> Frame {
        let data =
            serde_json::json!({"seq": seq, "epoch": 1, "at": "2026-01-01T00:00:00Z", "entry": {"type": "x"}});
        Frame { id: Some(seq.to_string()), event: "entry".into(), data: data.to_string() }
    }

    #[test]
    fn entries_come_once_and_a_reset_begins_anew() {
        let mut seen = 0;
        assert!(read(&entry(1), &mut seen).unwrap().is_some());
        assert!(read(&entry(1), &mut seen).unwrap().is_none());
        assert!(read(&entry(2), &mut seen).unwrap().is_some());
        let reset = Frame { id: None, event: "reset".into(), data: "{\"last_seq\":1}".into() };
        assert!(read(&reset, &mut seen).unwrap().is_none());
        assert!(read(&entry(1), &mut seen).unwrap().is_some());
    }

    #[test]
    fn unknown_events_are_passed_over_and_garbage_is_named() {
        let unknown = Frame { id: None, event: "later".into(), data: "?".into() };
        assert_eq!(read(&unknown, &mut 0).unwrap(), None);
        let garbage = Frame { id: None, event: "token".into(), data: "?".into() };
        assert!(read(&garbage, &mut 0).unwrap_err().message.contains("token"));
    }
}
