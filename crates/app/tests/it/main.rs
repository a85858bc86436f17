//! The binary as its users meet it: real processes, real directories, real ports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod home;

mod certificates;
mod cluster;
mod configuration;
mod durable;
mod exits;
mod people;
mod proxy;
mod run;
mod schedules;
mod secrets;
mod threads;
mod up;
