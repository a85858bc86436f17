//! The store of a cluster, on a real server.

mod blobs;
mod clock;
mod conformance;
mod dispatch;
pub mod fixture;
mod races;
mod restores;
mod retention;
mod sessions;
mod stuck;
