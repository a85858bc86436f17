//! The machine: whether it is quiet, what it can do at best, and what processes take of it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use crate::servers::postgres::{self, Options, Postgres, USER};
use crate::servers::process::Process;

/// A machine counts as quiet when less than this share of its cores was busy for [`LOOK`].
const QUIET: f64 = 0.08;
const LOOK: Duration = Duration::from_secs(3);

/// Ticks of a processor's time in a second, as Linux tells user space on every platform.
const TICKS_PER_S: f64 = 100.0;

/// One row and one commit: what pgbench measures.
const INSERT: &str =
    "\\set run random(1, 1000000)\nINSERT INTO bench_steps(run, data) VALUES (:run, repeat('x', 256));\n";

/// What the machine was like at the start of a run.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Conditions {
    /// Share of all cores in use in the seconds before.
    pub busy: f64,
    /// The load average of one minute.
    pub load1: f64,
    /// Rows that 16 clients of pgbench inserted per second, each with a commit of its own.
    pub pgbench_per_s: f64,
}

/// The machine, with a PostgreSQL of its own for pgbench.
pub struct Machine {
    quiet: Duration,
    postgres: Postgres,
    pgbench: PathBuf,
}

impl Machine {
    /// Starts the server. `quiet` bounds each wait for a quiet machine.
    pub async fn start(quiet: Duration) -> anyhow::Result<Self> {
        let postgres = Postgres::start(Options::default()).await?;
        postgres.execute("CREATE TABLE bench_steps(id bigserial PRIMARY KEY, run bigint, data text)").await?;
        let beside = postgres::bin()?.join("pgbench");
        let pgbench = if beside.is_file() { beside } else { "pgbench".into() };
        Ok(Self { quiet, postgres, pgbench })
    }

    /// One line for the head of a report.
    pub fn describe(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: f64 = field(&memory, "MemTotal:").unwrap_or(0.0);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        format!("{cores} cores, {:.0} GiB, Linux {}", kib / f64::from(1 << 20), kernel.trim())
    }

    /// Waits until it is quiet, at most as long as was said, and measures what it can do.
    pub async fn conditions(&self) -> anyhow::Result<Conditions> {
        let began = Instant::now();
        let busy = loop {
            let busy = busy_share(LOOK).await?;
            if busy < QUIET || began.elapsed() > self.quiet {
                break busy;
            }
        };
        let load = std::fs::read_to_string("/proc/loadavg")?;
        let load1 = load.split(' ').next().context("an empty load average")?.parse()?;
        Ok(Conditions { busy, load1, pgbench_per_s: self.pgbench().await? })
    }

    async fn pgbench(&self) -> anyhow::Result<f64> {
        self.postgres.execute("TRUNCATE bench_steps").await?;
        self.postgres.execute("CHECKPOINT").await?;
        let script = self.postgres.directory().join("insert.sql");
        std::fs::write(&script, INSERT)?;
        let mut command = Command::new(&self.pgbench);
        command
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.postgres.port().to_string(),
                "-U",
                USER,
                "-n",
                "-M",
                "prepared",
            ])
            .args(["-c", "16", "-j", "1", "-T", "5", "-f"])
            .arg(script)
            .arg("postgres");
        let output =
            tokio::task::spawn_blocking(move || command.output()).await?.context("starting pgbench")?;
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.with_context(|| format!("pgbench printed no rate: {complained}"))?;
        Ok(rate.split(' ').next().unwrap_or(rate).parse()?)
    }
}

/// Share of all cores that is in use during some time.
async fn busy_share(time: Duration) -> anyhow::Result<f64> {
    let read = || -> anyhow::Result<(f64, f64)> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("an empty /proc/stat")?;
        let ticks: Vec<f64> = line.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
        let idle = ticks.get(3).zip(ticks.get(4)).map(|(idle, waiting)| idle + waiting);
        Ok((ticks.iter().sum(), idle.context("a short /proc/stat")?))
    };
    let (total_before, idle_before) = read()?;
    tokio::time::sleep(time).await;
    let (total, idle) = read()?;
    Ok(1.0 - (idle - idle_before) / (total - total_before).max(1.0))
}

/// Memory of processes in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident.
    pub rss: f64,
    /// Proportional: pages that several share are divided among them.
    pub pss: f64,
}

/// Memory of processes with all that they have started.
pub fn memory<'a>(processes: impl Iterator<Item = &'a Process>) -> Memory {
    let mut sum = Memory::default();
    for pid in processes.flat_map(Process::pids) {
        // One that has just ended weighs nothing.
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        sum.rss += field(&rollup, "Rss:").unwrap_or(0.0);
        sum.pss += field(&rollup, "Pss:").unwrap_or(0.0);
    }
    sum
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds of processors that processes have used, with all that they have started, ended ones included.
pub fn cpu_s<'a>(processes: impl Iterator<Item = &'a Process>) -> f64 {
    processes.flat_map(Process::pids).filter_map(cpu_of).sum()
}

/// Those of this process: stub and load generator.
pub fn own_cpu_s() -> f64 {
    cpu_of(std::process::id()).unwrap_or(0.0)
}

fn cpu_of(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which stands in brackets and may hold anything: fields 14 to 17 of proc(5), of which the last two
    // are those of children that have been waited for.
    let fields = stat[stat.rfind(')')? + 1..].split_whitespace().skip(11).take(4);
    Some(fields.flat_map(str::parse::<f64>).sum::<f64>() / TICKS_PER_S)
}
