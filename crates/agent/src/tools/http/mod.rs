//! HTTP calls: building a request from arguments, sending it under the rule of its effect class, reading the answer.

mod client;
mod headers;
mod request;
mod response;

pub use client::ToolsError;
pub(crate) use client::{HttpClient, refused, sending_failed};
pub(crate) use headers::{call_metadata, check_header_name};
pub(crate) use request::HttpCall;
pub(crate) use response::parse_retry_after;
