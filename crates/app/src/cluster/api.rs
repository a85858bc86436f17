//! `api`: the HTTP API, for everybody.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use agenticai_broker::ClusterBroker;
use agenticai_store::Store;

use super::Role;
use super::broker::{self, BrokerMetrics};
use super::database::wait_for_store;
use super::role::{Process, Serving, bind};
use super::store_metrics::PoolMetrics;
use crate::commands::Context;
use crate::exit::{Exit, Result};
use crate::node::parts::{Reach, api_state, performers};

/// Serves until somebody says stop.
pub async fn run(context: &Context) -> Result {
    let settings = &context.loaded.settings;
    let process = Process::begin(context, Role::Api)?;
    let broker = broker::config(context, Role::Api)?;
    // A port that another program has is heard of now; clients are refused until there is something to serve them with.
    drop(bind(settings.server.port, "--port")?);
    let performers = performers(context, Reach::Network).await?;
    let Some(postgres) = wait_for_store(context, Role::Api, &process.standing, &process.stop).await? else {
        return Ok(Exit::Ok);
    };
    let store: Arc<dyn Store> = Arc::new(postgres.clone());
    let broker = Arc::new(ClusterBroker::start(broker));
    let closing = CancellationToken::new();
    let state = api_state(settings, store.clone(), broker.clone(), &performers, &closing, |registry| {
        registry.register_collector(Box::new(PoolMetrics(postgres.clone())));
        registry.register_collector(Box::new(BrokerMetrics::of(&broker)));
    });
    let (port, listener) = bind(settings.server.port, "--port")?;
    process.standing.works(store, state.registry.clone(), state.backlog.clone());
    let public = agenticai_server::public_router(state, process.standing.clone());
    let public = Serving::start(listener, public, settings.cluster.close_timeout);
    tracing::info!(port, "the API is served");
    process.stop.cancelled().await;
    process.retire().await;
    // Streams end and requests that wait answer; then the connections can.
    closing.cancel();
    public.stop().await;
    postgres.close();
    process.end().await;
    Ok(Exit::Ok)
}
