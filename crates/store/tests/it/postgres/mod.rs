//! The store of a cluster, on a real server.

mod conformance;
mod dispatch;
pub mod fixture;
mod races;
mod retention;
