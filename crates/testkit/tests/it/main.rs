//! Integration tests of the test kit itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod servers;
mod stub;
