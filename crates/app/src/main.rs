//! `agenticai`: durable LLM agents. One binary, whose roles are subcommands.

mod cli;
mod client;
mod cluster;
mod commands;
mod config;
mod exit;
mod home;
mod keys;
mod memory;
mod node;
mod render;
mod signals;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

fn main() {
    let cli = Cli::parse();
    let json = cli.global.json;
    let exit = match start(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            if json && let Ok(text) = serde_json::to_string_pretty(&failure.as_json()) {
                render::print(&text);
            }
            render::note(&format!("error: {failure}"));
            failure.exit
        }
    };
    // Not by returning: a thread may still wait for a line that nobody will type.
    std::process::exit(exit as i32);
}

fn start(cli: Cli) -> exit::Result {
    // TLS has one implementation here. A second installation in one process cannot happen, and would change nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(memory::give_back)
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("no threads to be had: {error}")))?;
    let exit = runtime.block_on(commands::perform(cli));
    runtime.shutdown_background();
    exit
}
