//! `real-model`: the README's prompt against a real language model; see the library's module `real_model`.

use std::path::PathBuf;

use agenticai_testkit::real_model::{RealModelConfig, run};
use clap::Parser;

/// Started by `e2e/real-model/run`, which installs what it needs.
#[derive(Parser)]
struct Args {
    /// A Python with the packages of `e2e/real-model/requirements.txt`.
    #[arg(long)]
    python: PathBuf,
    /// The model's weights (GGUF).
    #[arg(long)]
    weights: PathBuf,
    /// The directory `e2e/real-model` of the checkout.
    #[arg(long, default_value = "e2e/real-model")]
    scripts: PathBuf,
    /// How often the prompt is asked.
    #[arg(long, default_value_t = 20)]
    runs: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let dir = std::env::temp_dir().join(format!("agenticai-real-model-{}", std::process::id()));
    let config = RealModelConfig {
        python: args.python,
        weights: args.weights,
        scripts: args.scripts,
        runs: args.runs,
        dir,
    };
    run(&config).await?;
    std::fs::remove_dir_all(&config.dir)?;
    println!("real model passed");
    Ok(())
}
