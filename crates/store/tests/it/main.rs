//! The embedded store: the suite of every store, and what only a file on a disk has to fulfil.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod blobs;
mod conformance;
mod connecting;
mod crash;
mod disk;
mod encrypted;
mod fixture;
mod migrating;
mod opening;
mod pooler;
mod queries;
