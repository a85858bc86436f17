//! Anthropic's Messages.

mod request;
mod response;
mod thoughts;

pub(super) use request::body;
pub(super) use response::Reading;

/// The version of the interface that requests name.
pub(super) const VERSION: &str = "2023-06-01";
