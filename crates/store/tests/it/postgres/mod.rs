//! The store of a cluster, on a real server.

mod conformance;
pub mod fixture;
