//! The brokers on real servers: the suite of every broker, outages, TLS, and what strangers send.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod fixture;
mod log;
mod outages;
mod passwords;
mod rabbitmq;
mod strangers;
mod tls;
