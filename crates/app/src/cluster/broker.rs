//! Which servers carry hints and live events.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use agenticai_broker::{Broker, MemoryBroker};

use super::Role;
use crate::commands::Context;
use crate::exit::Result;

/// The broker of a process. Without it everything goes on by polling.
pub fn broker(_context: &Context, _role: Role) -> Result<Arc<dyn Broker>> {
    Ok(Arc::new(MemoryBroker::default()))
}

/// Adds the broker's counters to a registry.
pub fn register(_registry: &mut Registry, _broker: &Arc<dyn Broker>) {}
