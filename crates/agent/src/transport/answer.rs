//! An answer, whichever way it comes, and the reasons why there is none.

use std::error::Error as StdError;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::direct;
use crate::tools::egress::EgressDenied;

/// The head of an answer, and its body as it comes in. Dropping it before its end closes the connection.
pub(crate) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Body,
}

enum Body {
    Direct(direct::Body),
    Full(reqwest::Response),
}

impl Answer {
    pub(super) fn direct(status: StatusCode, headers: HeaderMap, body: direct::Body) -> Self {
        Self { status, headers, body: Body::Direct(body) }
    }

    pub(super) fn full(mut answer: reqwest::Response) -> Self {
        let headers = std::mem::take(answer.headers_mut());
        Self { status: answer.status(), headers, body: Body::Full(answer) }
    }

    /// The next piece of the body; none at its end. Waiting for one may be interrupted and begun again. An error says
    /// in words how the answer was cut off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        match &mut self.body {
            Body::Direct(body) => body.chunk().await.map_err(|e| chain(&e)),
            Body::Full(answer) => answer.chunk().await.map_err(|e| chain(&e.without_url())),
        }
    }
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The operator's rule does not admit where the name leads.
    Denied(EgressDenied),
    /// This is no request that could be sent.
    Unbuildable(String),
    /// No connection came about: certainly nothing was sent.
    Unconnected(String),
    /// The request may have been received.
    Lost(String),
}

impl Unanswered {
    pub(super) fn unbuildable(error: &(dyn StdError + 'static)) -> Self {
        Self::Unbuildable(chain(error))
    }

    pub(super) fn lost(error: &(dyn StdError + 'static)) -> Self {
        Self::Lost(chain(error))
    }

    pub(super) fn unconnected(error: &(dyn StdError + 'static)) -> Self {
        match find::<EgressDenied>(error) {
            Some(denied) => Self::Denied(denied.clone()),
            None => Self::Unconnected(chain(error)),
        }
    }
}

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        // It may hold a password.
        let error = error.without_url();
        if let Some(denied) = find::<EgressDenied>(&error) {
            Self::Denied(denied.clone())
        } else if error.is_builder() || error.is_request() && find::<http::Error>(&error).is_some() {
            Self::unbuildable(&error)
        } else if error.is_connect() {
            // Resolution, TCP, TLS and a proxy's tunnel: all of them come before the first byte of the request.
            Self::Unconnected(chain(&error))
        } else {
            Self::Lost(chain(&error))
        }
    }
}

/// An error with its causes, each said once.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// The first of an error and its causes that is an `E`.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}
