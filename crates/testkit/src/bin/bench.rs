//! `bench`: measures the server that AGENTICAI_BIN names; see the library's module `bench` and `bench/README.md`.

use std::path::PathBuf;

use agenticai_testkit::bench::{BenchConfig, run};
use agenticai_testkit::load::median;
use clap::Parser;

/// Prints medians; give it a release binary and an idle machine.
#[derive(Parser)]
struct Args {
    /// Runs of each workload.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Sizes of the workloads in tasks.
    #[arg(long, value_delimiter = ',', default_value = "1000,5000")]
    sizes: Vec<u64>,
    /// Starts for the time to ready.
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Where the medians go as JSON, besides the screen.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let dir = std::env::temp_dir().join(format!("agenticai-bench-{}", std::process::id()));
    let config = BenchConfig { runs: args.runs, sizes: args.sizes, starts: args.starts, dir };
    let measures = run(&config).await?;
    std::fs::remove_dir_all(&config.dir)?;
    if let Some(path) = args.json {
        let medians: serde_json::Map<String, serde_json::Value> =
            measures.into_iter().map(|m| (m.name, median(m.values).into())).collect();
        std::fs::write(path, serde_json::to_string_pretty(&medians)?)?;
    }
    Ok(())
}
