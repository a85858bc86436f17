//! OpenAI's Chat Completions, and the servers that speak it too.

mod request;
mod response;

pub(super) use request::body;
pub(super) use response::Reading;
