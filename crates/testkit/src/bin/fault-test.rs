//! `fault-test`: strikes a cluster of real processes; see the library's module `faults`.

use std::path::PathBuf;
use std::time::Duration;

use agenticai_testkit::faults::{self, FaultConfig, TASKS_PER_FAULT};
use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Strikes a cluster of the binary that AGENTICAI_BIN names, on real servers, and checks that nothing is lost, repeated
/// or forgotten.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// Makes the same tasks and faults again; absent: a random one, which is printed.
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Where logs go; kept, with the database, when something is broken. Absent: a new directory among the temporary
    /// ones.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Kills, freezes and cuts off workers, APIs, PostgreSQL, RabbitMQ and Redis, in random order
    Storm {
        /// How many faults; fifteen kinds take turns, and each must strike three times.
        #[arg(long, default_value_t = 48)]
        faults: usize,
        /// How many tasks.
        #[arg(long, default_value_t = 2_000)]
        tasks: usize,
        /// About so many minutes of faults, instead of a number of them; tasks accordingly.
        #[arg(long, conflicts_with_all = ["faults", "tasks"])]
        minutes: Option<usize>,
    },
    /// Holds processes at the worst points of their races, one after the other
    Moments {
        /// SQL that is run after the migrations: a fault of the store, planted on purpose. The run must find it: it
        /// passes if a promise is broken, and fails if none is.
        #[arg(long)]
        sabotage: Option<PathBuf>,
    },
    /// Freezes the database, then starves a worker: nobody may take anything over
    Outage {
        /// How long each lasts.
        #[arg(long, default_value_t = 15)]
        seconds: u64,
    },
    /// Restarts every process under load behind a load balancer: nobody may notice
    Rolling {
        /// How often each is restarted.
        #[arg(long, default_value_t = 2)]
        rounds: usize,
    },
    /// Starts another `api` and another `worker` under load and ends the first ones: nobody may notice
    Replacing {
        /// How often each is replaced.
        #[arg(long, default_value_t = 2)]
        rounds: usize,
    },
}

/// Faults in a minute, with what lies between them, on two cores.
const FAULTS_A_MINUTE: usize = 13;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let dir = args.dir.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("agenticai-faults-{seed}-{}", std::process::id()))
    });
    let done = match args.what {
        What::Storm { faults, tasks, minutes } => {
            let (faults, tasks) = match minutes {
                Some(minutes) => (minutes * FAULTS_A_MINUTE, minutes * FAULTS_A_MINUTE * TASKS_PER_FAULT),
                None => (faults, tasks),
            };
            let mut config = FaultConfig { seed, tasks, faults, dir: dir.clone() };
            let mut done = faults::run(&config).await;
            if done.as_ref().is_err_and(|error| error.is::<faults::Void>()) {
                println!(
                    "once more, with another seed: this run broke no promise, but hit too little to prove any"
                );
                config.seed = seed.wrapping_add(1);
                config.dir = dir.join("again");
                done = faults::run(&config).await;
            }
            done
        }
        What::Moments { sabotage: None } => faults::moments::run(&dir, None).await,
        What::Moments { sabotage: Some(file) } => {
            let sql = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            match faults::moments::run(&dir, Some(sql)).await {
                Err(error) if error.is::<faults::Broken>() => {
                    println!("found: {}", file.display());
                    Ok(())
                }
                Ok(()) => Err(anyhow::anyhow!("NOT found: {}", file.display())),
                other => other,
            }
        }
        What::Outage { seconds } => faults::outage::run(seed, Duration::from_secs(seconds), &dir).await,
        What::Rolling { rounds } => faults::rolling::restart(seed, rounds, &dir).await,
        What::Replacing { rounds } => faults::rolling::replace(seed, rounds, &dir).await,
    };
    done.with_context(|| format!("seed {seed}; logs in {}", dir.display()))?;
    std::fs::remove_dir_all(&dir)?;
    println!("fault test passed");
    Ok(())
}
