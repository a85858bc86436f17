//! The suite of every store on both of them, and what only one of them has to fulfil.
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
mod postgres;
mod queries;
