//! Reading `/metrics` of every process again and again: a process that is killed takes its counters with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::{Cluster, Node};

const EVERY: Duration = Duration::from_millis(400);

/// Counters of interest, each with the words of its line that tell it from others.
const COUNTERS: [(&str, &str, &str); 5] = [
    ("tasks taken over from dead workers", "takeovers_total", ""),
    ("appends fenced", "appends_total", "kind=\"fenced\""),
    ("appends overtaken", "appends_total", "kind=\"overtaken\""),
    ("appends that were in already", "appends_total", "kind=\"already_mine\""),
    ("appends refused for a newer message", "appends_total", "kind=\"inbox_moved\""),
];

/// Sums over all lives of all processes, of what could be read: what a process counted just before it was killed is
/// missing.
#[derive(Debug, Clone, Default)]
pub struct Sums(BTreeMap<&'static str, u64>);

impl Sums {
    /// The counters with their names.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        COUNTERS.iter().map(|(name, ..)| (*name, self.get(name)))
    }

    /// Tasks taken over.
    pub fn takeovers(&self) -> u64 {
        self.get(COUNTERS[0].0)
    }

    fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// Somebody who reads.
pub struct Meters {
    work: JoinHandle<Sums>,
    stop: watch::Sender<bool>,
}

impl Meters {
    /// Starts reading.
    pub fn start(cluster: Arc<Cluster>) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let work = tokio::spawn(async move {
            let mut last: BTreeMap<(usize, &'static str), u64> = BTreeMap::new();
            let mut sums = Sums::default();
            loop {
                // Once more at the end, so that what is at rest is read.
                let over = *stopped.borrow_and_update();
                for (place, node) in cluster.workers.iter().enumerate() {
                    let Ok(page) = node.metrics().await else { continue };
                    for (name, metric, label) in COUNTERS {
                        let now = value(&page, metric, label);
                        let before = last.insert((place, name), now).unwrap_or(0);
                        // A counter that has fallen is that of a new process.
                        *sums.0.entry(name).or_default() += if now < before { now } else { now - before };
                    }
                }
                if over {
                    return sums;
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { work, stop }
    }

    /// The sums.
    pub async fn stop(self) -> anyhow::Result<Sums> {
        let _ = self.stop.send(true);
        self.work.await.context("the reader of metrics panicked")
    }
}

/// Tasks that one process has taken over so far.
pub async fn takeovers_of(node: &Node) -> anyhow::Result<u64> {
    let (_, metric, label) = COUNTERS[0];
    Ok(value(&node.metrics().await?, metric, label))
}

/// A counter on a page of OpenMetrics.
fn value(page: &str, metric: &str, label: &str) -> u64 {
    let line =
        page.lines().find(|line| !line.starts_with('#') && line.contains(metric) && line.contains(label));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_name_and_label() {
        let page = "# TYPE x_appends counter\nx_appends_total{kind=\"accepted\"} 7\nx_appends_total{kind=\"fenced\"} 3\n";
        assert_eq!(value(page, "appends_total", "kind=\"fenced\""), 3);
        assert_eq!(value(page, "takeovers_total", ""), 0);
    }
}
