//! What an operator may set of a worker, and that it holds.

use std::sync::Arc;

use agenticai_domain::task::TaskStatus;
use agenticai_worker::WorkerConfig;
use prometheus_client::registry::Registry;

use crate::bench::{Bench, Scripted, config};

/// The sum of a histogram's observations, and their number.
fn histogram(text: &str, name: &str) -> (f64, f64) {
    let value = |end: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}_{end} ")));
        line.unwrap_or_else(|| panic!("{name}_{end} is missing in {text}")).parse().unwrap()
    };
    (value("sum"), value("count"))
}

#[tokio::test]
async fn a_commit_takes_as_many_runs_as_the_operator_says() {
    for (max_append, alone) in [(1, true), (512, false)] {
        let bench = Bench::new().await;
        let mut tasks = Vec::new();
        for _ in 0..50 {
            tasks.push(bench.submit().await);
        }
        let config = WorkerConfig { max_append, ..config() };
        let (worker, metrics) = bench.work_as(config, Arc::new(Scripted::calling(&[])));
        for task in tasks {
            bench.until(task, TaskStatus::Completed).await;
        }
        worker.drain().await;
        let (mut registry, mut text) = (Registry::default(), String::new());
        metrics.register(&mut registry);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let (runs, commits) = histogram(&text, "agenticai_worker_append_batch");
        assert!(runs >= 50.0 && (runs == commits) == alone, "{runs} runs in {commits} commits");
    }
}
