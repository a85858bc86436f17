//! Building the bytes of a request.
//!
//! The body is a function of what the journal says: the dialect as journaled, the model's name there, the
//! specification and the conversation. So an earlier request can be built again to the byte, and its digest compared.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use agenticai_domain::conversation::Message;
use agenticai_domain::journal::ModelAttempt;
use agenticai_domain::spec::{ModelRef, OutputSpec, ToolDef};
use agenticai_domain::task::{TaskError, codes};

use super::config::{Dialect, ProviderConfig};
use super::resolve::Served;
use super::{anthropic, openai};

/// Version of the code that builds bodies. A change of what it writes for the same call needs a new number, and the
/// old way kept for [`rebuild`].
pub const FORMAT: u16 = 1;

/// What a model is to be asked.
#[derive(Debug, Clone)]
pub struct ModelCall<'a> {
    /// The model and its settings, as the specification has them.
    pub model: &'a ModelRef,
    /// The conversation.
    pub messages: Vec<Message<'a>>,
    /// What it may call.
    pub tools: &'a [ToolDef],
    /// The shape that its answer must have.
    pub output: Option<&'a OutputSpec>,
    /// The turn that it makes, from 1.
    pub turn: u32,
}

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The body.
    pub body: Bytes,
    /// What the journal says of it.
    pub attempt: ModelAttempt,
}

/// All that the shape of a body depends on beside the call itself. It is journaled as the dialect: `openai`,
/// `openai-compatible` (servers that know only the older name of a field), `anthropic` or `practice`, with `+whole`
/// where no stream is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wire {
    pub dialect: Dialect,
    pub compatible: bool,
    pub streaming: bool,
}

impl Wire {
    pub(super) const PRACTICE: Self = Self { dialect: Dialect::Practice, compatible: true, streaming: false };

    pub(super) fn of(provider: &ProviderConfig) -> Self {
        let compatible =
            provider.dialect == Dialect::OpenAi && (provider.serves_any || provider.name != "openai");
        Self { dialect: provider.dialect, compatible, streaming: provider.streaming }
    }

    fn body(self, model: &str, call: &ModelCall<'_>) -> Result<Vec<u8>, TaskError> {
        match self.dialect {
            // The practice model reads OpenAI's dialect: one more reader of the same bytes instead of one more shape.
            Dialect::OpenAi | Dialect::Practice => openai::body(self, model, call),
            Dialect::Anthropic => anthropic::body(self, model, call),
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.dialect, self.compatible) {
            (Dialect::Practice, _) => return f.write_str("practice"),
            (Dialect::OpenAi, false) => "openai",
            (Dialect::OpenAi, true) => "openai-compatible",
            (Dialect::Anthropic, _) => "anthropic",
        })?;
        if self.streaming { Ok(()) } else { f.write_str("+whole") }
    }
}

impl FromStr for Wire {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "practice" {
            return Ok(Self::PRACTICE);
        }
        let (name, streaming) = match text.strip_suffix("+whole") {
            Some(name) => (name, false),
            None => (text, true),
        };
        let (dialect, compatible) = match name {
            "openai" => (Dialect::OpenAi, false),
            "openai-compatible" => (Dialect::OpenAi, true),
            "anthropic" => (Dialect::Anthropic, false),
            _ => return Err(format!("the dialect `{text}` is unknown to this program")),
        };
        Ok(Self { dialect, compatible, streaming })
    }
}

/// The request for `call`, with its digest.
pub(super) fn build(served: &Served, call: &ModelCall<'_>) -> Result<Request, TaskError> {
    let body = served.wire.body(&served.model, call)?;
    let attempt = ModelAttempt {
        provider: served.provider.clone(),
        model: served.model.clone(),
        dialect: served.wire.to_string(),
        format: FORMAT,
        sha256: hex::encode(Sha256::digest(&body)),
    };
    Ok(Request { body: Bytes::from(body), attempt })
}

/// The body that was sent for `attempt`. An error where this program cannot build it, or where the digest says that
/// these are not the bytes.
pub(super) fn rebuild(attempt: &ModelAttempt, call: &ModelCall<'_>) -> Result<Bytes, String> {
    if attempt.format != FORMAT {
        return Err(format!(
            "the request has format {}, this program builds format {FORMAT}: use the release that made it",
            attempt.format
        ));
    }
    let wire: Wire = attempt.dialect.parse()?;
    let body = wire.body(&attempt.model, call).map_err(|e| e.message)?;
    let sha256 = hex::encode(Sha256::digest(&body));
    if sha256 != attempt.sha256 {
        return Err(format!(
            "the request built again has SHA-256 {sha256}, the journal says {}",
            attempt.sha256
        ));
    }
    Ok(Bytes::from(body))
}

/// A call that cannot be put into a dialect.
pub(super) fn refused(message: impl Into<String>) -> TaskError {
    TaskError::new(codes::MODEL_REFUSED, message)
}

/// Writing to memory fails only for maps whose keys are no strings; no body has any.
pub(super) fn unwritable(why: serde_json::Error) -> TaskError {
    refused(format!("the request cannot be written as JSON: {why}"))
}
