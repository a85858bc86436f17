//! A server that does nothing: how soon it is ready and how much memory it holds.

use std::time::Duration;

use anyhow::Context as _;

use super::{BenchConfig, Measure};
use crate::up::Up;

/// Cold starts on a fresh directory and on an existing one, and the idle memory after each of the latter.
pub async fn measure(config: &BenchConfig) -> anyhow::Result<Vec<Measure>> {
    let (mut first, mut second, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..config.starts {
        let dir = config.dir.join(format!("start-{n}"));
        let mut up = Up::new(&dir, &[])?;
        first.push(millis(up.start().await?));
        up.terminate(Duration::from_secs(10)).await?;
        second.push(millis(up.start().await?));
        if n < config.runs {
            tokio::time::sleep(Duration::from_secs(2)).await;
            idle.push(resident_kib(up.pid().context("it runs")?)?);
        }
        up.terminate(Duration::from_secs(10)).await?;
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(vec![
        Measure::new("first start to ready, ms", first),
        Measure::new("later start to ready, ms", second),
        Measure::new("idle memory (RSS), KiB", idle),
    ])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Resident memory of a process in KiB.
fn resident_kib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
