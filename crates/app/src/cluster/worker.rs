//! `worker`: claims tasks and advances them. Nobody but its operators can reach it.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use agenticai_server::Backlog;
use agenticai_store::Store;
use agenticai_worker::WorkerMetrics;

use super::Role;
use super::broker::{BrokerMetrics, broker};
use super::database::wait_for_store;
use super::role::Process;
use super::store_metrics::PoolMetrics;
use crate::commands::Context;
use crate::exit::{Exit, Result};
use crate::node::parts::{Reach, Workshop, performers};

/// Works until somebody says stop, or the store cannot be worked with.
pub async fn run(context: &Context) -> Result {
    let settings = &context.loaded.settings;
    let process = Process::begin(context, Role::Worker)?;
    let performers = performers(context, Reach::Network).await?;
    let Some(postgres) = wait_for_store(context, Role::Worker, &process.standing, &process.stop).await?
    else {
        return Ok(Exit::Ok);
    };
    let store: Arc<dyn Store> = Arc::new(postgres.clone());
    let broker = broker(context, Role::Worker)?;
    let mut registry = Registry::default();
    let (backlog, metrics) = (Backlog::register(&mut registry), Arc::new(WorkerMetrics::default()));
    metrics.register(&mut registry);
    registry.register_collector(Box::new(PoolMetrics(postgres.clone())));
    registry.register_collector(Box::new(BrokerMetrics::of(&broker)));
    let drain = settings.worker.drain;
    let mut work = Workshop::start("worker", settings, drain, store.clone(), broker, &performers, metrics);
    process.standing.works(store, Arc::new(registry), backlog);
    let broken = tokio::select! {
        () = process.stop.cancelled() => None,
        failure = work.broken() => Some(failure),
    };
    process.retire().await;
    work.drain(process.hurry.clone()).await;
    postgres.close();
    process.end().await;
    broken.map_or(Ok(Exit::Ok), Err)
}
