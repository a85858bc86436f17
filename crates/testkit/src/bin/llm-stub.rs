//! `llm-stub`: the stub as a process, for load and crash tests. Listens on 127.0.0.1 only.

use std::path::PathBuf;
use std::time::Duration;

use agenticai_testkit::stub::{Stub, StubConfig};
use clap::Parser;

/// A deterministic model and tools that count and log every call.
#[derive(Parser)]
struct Args {
    /// Port on 127.0.0.1; 0: any free one.
    #[arg(long, default_value_t = 18000)]
    port: u16,
    /// Milliseconds before a model answers.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Milliseconds before a tool answers.
    #[arg(long, default_value_t = 0)]
    tool_latency_ms: u64,
    /// Tool calls before the final text.
    #[arg(long, default_value_t = 4)]
    steps: u64,
    /// Length of texts and tool results.
    #[arg(long, default_value_t = 256)]
    payload_bytes: usize,
    /// Threads that serve.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Ends by itself after so many seconds.
    #[arg(long, default_value_t = 7200)]
    max_life_s: u64,
    /// Where every call's begin and end go, one JSON line each.
    #[arg(long)]
    log: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let stub = Stub::start(&StubConfig {
        port: args.port,
        latency_ms: args.latency_ms,
        tool_latency_ms: args.tool_latency_ms,
        steps: args.steps,
        payload_bytes: args.payload_bytes,
        threads: args.threads,
        log: args.log,
    })?;
    println!("llm-stub on 127.0.0.1:{}", stub.port());
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(args.max_life_s)) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
