//! The pools of the database under `/metrics`.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use agenticai_store::postgres::PostgresStore;

/// Reads the pools whenever somebody asks.
pub struct PoolMetrics(pub PostgresStore);

impl std::fmt::Debug for PoolMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PoolMetrics")
    }
}

impl Collector for PoolMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let pools = self.0.pools();
        let gauges: [(&str, &str, [usize; 5]); 4] = [
            ("limit", "Connections that a pool may have", pools.map(|(_, pool)| pool.limit)),
            ("open", "Connections that a pool has", pools.map(|(_, pool)| pool.open)),
            ("idle", "Connections of a pool that nobody uses", pools.map(|(_, pool)| pool.idle)),
            ("waiting", "Callers that wait for a connection", pools.map(|(_, pool)| pool.waiting)),
        ];
        for (name, help, values) in gauges {
            let name = format!("agenticai_database_connections_{name}");
            let mut metric = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            for ((purpose, _), value) in pools.iter().zip(values) {
                let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
                gauge.encode(metric.encode_family(&[("pool", *purpose)])?)?;
            }
        }
        Ok(())
    }
}
