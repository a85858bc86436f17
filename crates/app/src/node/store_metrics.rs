//! The embedded store's counters under `/metrics`.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use agenticai_store::sqlite::SqliteStore;

/// Reads the counters whenever somebody asks.
pub struct StoreMetrics(pub SqliteStore);

impl std::fmt::Debug for StoreMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreMetrics")
    }
}

impl Collector for StoreMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let stats = self.0.stats();
        let counters = [
            ("commits", "Transactions committed", stats.commits),
            ("failed_commits", "Transactions that failed", stats.failed_commits),
            ("commands", "Commands in committed transactions", stats.commands),
            ("appends_accepted", "Runs accepted", stats.appends_accepted),
            ("appends_fenced", "Runs refused because of the lease", stats.appends_fenced),
            ("appends_overtaken", "Runs refused because the task had moved on", stats.appends_overtaken),
            ("appends_refused", "Runs refused because of their data", stats.appends_refused),
        ];
        for (name, help, value) in counters {
            let metric = ConstCounter::new(value);
            let name = format!("agenticai_store_{name}");
            metric.encode(encoder.encode_descriptor(&name, help, None, metric.metric_type())?)?;
        }
        let gauges = [
            ("queued", "Commands that wait for the writer", stats.queued),
            ("log_pages", "Pages in the write-ahead log", stats.log_pages),
        ];
        for (name, help, value) in gauges {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let name = format!("agenticai_store_{name}");
            metric.encode(encoder.encode_descriptor(&name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}
