//! `worker`: claims tasks and advances them. Nobody but its operators can reach it.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use agenticai_broker::ClusterBroker;
use agenticai_server::Backlog;
use agenticai_store::{Isolation, Store};
use agenticai_worker::WorkerMetrics;

use super::Role;
use super::apart::{OwnProcess, named};
use super::broker::{self, BrokerMetrics};
use super::database::wait_for_store;
use super::role::Process;
use super::store_metrics::PoolMetrics;
use crate::commands::Context;
use crate::exit::{Exit, Result};
use crate::node::parts::{Post, Reach, Workshop, performers, work_ended};

/// Works until somebody says stop, or the store cannot be worked with. `suspects` is the name of a process that was
/// started for tasks that crash workers, and how it tries them: it ends when there are none left.
pub async fn run(context: &Context, suspects: Option<(String, Isolation)>) -> Result {
    let settings = &context.loaded.settings;
    let process = Process::begin(context, Role::Worker)?;
    let broker = broker::config(context, Role::Worker)?;
    let performers = performers(context, Reach::Network).await?;
    let Some(postgres) = wait_for_store(context, Role::Worker, &process.standing, &process.stop).await?
    else {
        return Ok(Exit::Ok);
    };
    let store: Arc<dyn Store> = Arc::new(postgres.clone());
    let broker = Arc::new(ClusterBroker::start(broker));
    let mut registry = Registry::default();
    let (backlog, metrics) = (Backlog::register(&mut registry), Arc::new(WorkerMetrics::default()));
    metrics.register(&mut registry);
    registry.register_collector(Box::new(PoolMetrics(postgres.clone())));
    registry.register_collector(Box::new(BrokerMetrics::of(&broker)));
    let drain = settings.worker.drain;
    let alone = suspects.is_some();
    let post = match suspects {
        Some((name, isolation)) => {
            Post { name: named(&name, std::process::id()), suspects: Some(isolation), apart: None }
        }
        None => Post::ordinary("worker", Some(Arc::new(OwnProcess))),
    };
    let mut work = Workshop::start(post, settings, drain, store.clone(), broker, &performers, metrics);
    process.standing.works(store, Arc::new(registry), backlog);
    let broken = tokio::select! {
        () = process.stop.cancelled() => None,
        ended = work.ended() => match ended {
            Ok(()) if alone => None,
            _ => Some(work_ended(ended)),
        },
    };
    process.retire().await;
    work.drain(process.hurry.clone()).await;
    postgres.close();
    process.end().await;
    broken.map_or(Ok(Exit::Ok), Err)
}
