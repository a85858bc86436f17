//! `kill-test`: kills `agenticai up` again and again; see the library's module `kill`.

use std::path::PathBuf;

use agenticai_testkit::kill::{KillConfig, default_dir, run};
use clap::Parser;

/// Kills the server that AGENTICAI_BIN names while it works, and checks that nothing is lost or repeated.
#[derive(Parser)]
struct Args {
    /// Makes the same tasks again; absent: a random one, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many tasks.
    #[arg(long, default_value_t = 240)]
    tasks: usize,
    /// How many lives of the server end by SIGKILL; every fifth is followed by another in the middle of a start.
    #[arg(long, default_value_t = 36)]
    kills: usize,
    /// Where data and logs go; kept when something is broken. Absent: a new directory among the temporary ones.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let dir = args.dir.unwrap_or_else(|| default_dir(seed));
    let config = KillConfig { seed, tasks: args.tasks, kills: args.kills, dir };
    run(&config).await?;
    std::fs::remove_dir_all(&config.dir)?;
    println!("kill test passed");
    Ok(())
}
