//! One attempt: a request, and the answer as it comes in.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::Method;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::answer::Gathered;
use super::config::Dialect;
use super::fault::{Asked, Fault, Reported};
use super::http::Endpoint;
use super::request::Wire;
use super::sse::Parser;
use super::tokens::Pieces;
use super::{anthropic, openai, retry};
use crate::transport::{Answer, Unanswered};

/// Bound on an answer: far above what any model writes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Bound on what is read of an error.
const MAX_ERROR: usize = 64 * 1024;
/// How long the end of a finished answer's connection is waited for, so that it can be used again.
const DRAIN: Duration = Duration::from_secs(1);

/// What an attempt is told.
pub(super) struct Attempt<'a> {
    pub endpoint: &'a Endpoint,
    pub wire: Wire,
    pub provider: &'a str,
    pub model: &'a str,
    pub key_variable: &'a str,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    /// Until the first token must have come, and the longest silence after it.
    pub first_token: Duration,
    /// Until the whole answer must have come.
    pub until: Instant,
}

/// Reads the dialect that the provider speaks.
enum Reading {
    OpenAi(openai::Reading),
    Anthropic(anthropic::Reading),
}

impl Reading {
    fn take(&mut self, data: &[u8], into: &mut Gathered) -> Result<(), Fault> {
        match self {
            Self::OpenAi(reading) => reading.take(data, into),
            Self::Anthropic(reading) => reading.take(data, into),
        }
    }

    /// What the provider wants to see again with the answer that was read.
    fn opaque(&self) -> Option<Value> {
        match self {
            Self::OpenAi(_) => None,
            Self::Anthropic(reading) => reading.opaque(),
        }
    }
}

/// What an answer is, as far as its headers and first bytes tell.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Unknown,
    Events,
    Whole,
}

impl Attempt<'_> {
    /// Sends and reads. What came of the answer is in `into` also when the attempt failed.
    pub(super) async fn run(mut self, into: &mut Gathered, pieces: &mut Pieces<'_>) -> Result<(), Fault> {
        let begun = Instant::now();
        // Where no stream is asked for, everything comes at once: only the bound on the whole can hold.
        let silence = if self.wire.streaming { self.first_token } else { self.until - begun };
        let limit = self.until.min(begun + silence);
        let sending = self.endpoint.transport.send(
            Method::POST,
            &self.endpoint.url,
            std::mem::take(&mut self.headers),
            Some(self.body.clone()),
        );
        let mut response = match timeout_at(limit, sending).await {
            Err(_) => return Err(self.silent(limit, false)),
            Ok(Err(why)) => return Err(self.unsent(why)),
            Ok(Ok(response)) => response,
        };
        if !response.status.is_success() {
            return Err(self.refused(response, limit).await);
        }
        self.read(&mut response, begun, silence, into, pieces).await?;
        if into.done {
            drain(response);
        }
        Ok(())
    }

    async fn read(
        &self,
        response: &mut Answer,
        begun: Instant,
        silence: Duration,
        into: &mut Gathered,
        pieces: &mut Pieces<'_>,
    ) -> Result<(), Fault> {
        let mut reading = match self.wire.dialect {
            Dialect::Anthropic => Reading::Anthropic(anthropic::Reading::default()),
            Dialect::OpenAi | Dialect::Practice => Reading::OpenAi(openai::Reading::default()),
        };
        let mut parser = Parser::default();
        let mut form = if is_event_stream(response) { Form::Events } else { Form::Unknown };
        let mut whole: Vec<u8> = Vec::new();
        let mut size = 0;
        loop {
            let limit = self.until.min(if into.begun { Instant::now() } else { begun } + silence);
            let chunk = loop {
                // A gathered piece may be due before the next chunk comes; waiting for a chunk loses nothing when it
                // is interrupted.
                let due = pieces.offer(&into.text);
                match timeout_at(due.map_or(limit, |due| due.min(limit)), response.chunk()).await {
                    Ok(chunk) => break chunk,
                    Err(_) if Instant::now() >= limit => return Err(self.silent(limit, into.begun)),
                    Err(_) => {}
                }
            };
            let chunk = match chunk {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(why) => {
                    return Err(Fault::passing(format!(
                        "the answer of the provider `{}` was cut off: {why}",
                        self.provider
                    )));
                }
            };
            size += chunk.len();
            if size > MAX_ANSWER {
                return Err(Fault::nonsense(format!(
                    "the answer of the provider `{}` is larger than {} MiB",
                    self.provider,
                    MAX_ANSWER / 1024 / 1024
                )));
            }
            if form == Form::Events {
                parser.feed(&chunk, |data| reading.take(data, into))?;
            } else {
                whole.extend_from_slice(&chunk);
                if form == Form::Unknown {
                    form = sniff(&whole);
                    if form == Form::Events {
                        parser.feed(&std::mem::take(&mut whole), |data| reading.take(data, into))?;
                    }
                }
            }
            if into.done {
                break;
            }
        }
        self.end(form, &whole, &mut parser, &mut reading, into)?;
        into.opaque = reading.opaque();
        pieces.finish(&into.text);
        Ok(())
    }

    /// Judges whether what came is a whole answer.
    fn end(
        &self,
        form: Form,
        whole: &[u8],
        parser: &mut Parser,
        reading: &mut Reading,
        into: &mut Gathered,
    ) -> Result<(), Fault> {
        let cut = || Fault::passing(format!("the answer of the provider `{}` was cut off", self.provider));
        match form {
            Form::Whole => {
                reading.take(whole, into)?;
                into.done = true;
            }
            // What a cut leaves of an event is no JSON: that is no garbage of the provider's making.
            Form::Events if !into.done => {
                parser.finish(|data| reading.take(data, into)).map_err(|fault| match fault {
                    Fault::Passing { .. } => cut(),
                    other => other,
                })?;
            }
            Form::Events => {}
            Form::Unknown => {
                return Err(Fault::nonsense(format!(
                    "the provider `{}` answered with {}, not with the dialect that it should speak",
                    self.provider,
                    if whole.is_empty() { "nothing" } else { "something else" }
                )));
            }
        }
        if !into.understood {
            return Err(Fault::nonsense(format!(
                "the answer of the provider `{}` says nothing",
                self.provider
            )));
        }
        if into.finish.is_none() && !(into.done && into.begun) {
            return Err(cut());
        }
        Ok(())
    }

    fn silent(&self, limit: Instant, begun: bool) -> Fault {
        if limit >= self.until {
            return Fault::passing(format!("the provider `{}` did not finish in time", self.provider));
        }
        let seconds = self.first_token.as_secs_f32();
        Fault::passing(if begun {
            format!("the provider `{}` fell silent for {seconds} s in its answer", self.provider)
        } else {
            format!("no token came from the provider `{}` within {seconds} s", self.provider)
        })
    }

    fn unsent(&self, why: Unanswered) -> Fault {
        let (what, why) = match why {
            Unanswered::Unconnected(why) => ("cannot be reached", why),
            Unanswered::Denied(denied) => ("may not be reached", denied.to_string()),
            Unanswered::Unbuildable(why) | Unanswered::Lost(why) => ("gave no answer", why),
        };
        let host = self.endpoint.url.host_str().unwrap_or_default();
        let port = self.endpoint.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Fault::passing(format!("the provider `{}` at {host}{port} {what}: {why}", self.provider))
    }

    async fn refused(&self, mut response: Answer, limit: Instant) -> Fault {
        let status = response.status.as_u16();
        let retry_after = retry::asked(&response.headers, SystemTime::now());
        let should_retry = match response.headers.get("x-should-retry").map(|v| v.as_bytes()) {
            Some(b"true") => Some(true),
            Some(b"false") => Some(false),
            _ => None,
        };
        let mut body = Vec::new();
        while body.len() < MAX_ERROR
            && let Ok(Ok(Some(chunk))) = timeout_at(limit, response.chunk()).await
        {
            body.extend_from_slice(&chunk);
        }
        Reported::read(&body).with_status(
            status,
            &Asked {
                provider: self.provider,
                model: self.model,
                key_variable: self.key_variable,
                retry_after,
                should_retry,
            },
        )
    }
}

fn is_event_stream(response: &Answer) -> bool {
    let kind = response.headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

/// Tells a whole answer from a stream by how it begins: servers give either under any content type.
fn sniff(begin: &[u8]) -> Form {
    let begin = begin.trim_ascii_start();
    if begin.starts_with(b"{") {
        Form::Whole
    } else if [&b"data:"[..], b"event:", b": ", b":\n", b"id:"].iter().any(|field| begin.starts_with(field)) {
        Form::Events
    } else {
        Form::Unknown
    }
}

/// Lets a finished answer's connection come to its end, without which it cannot be used again. Mostly the end is there
/// already; else it is waited for aside.
fn drain(mut response: Answer) {
    if let Some(Ok(None)) = response.chunk().now_or_never() {
        return;
    }
    tokio::spawn(async move {
        let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    });
}
