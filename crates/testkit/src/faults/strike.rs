//! Striking: one fault from its begin to its end.

use std::time::Duration;

use fastrand::Rng;

use super::kinds::{Kind, Means, Target};
use crate::checker::Span;
use crate::cluster::{Cluster, Node};
use crate::servers::process::Process;
use crate::servers::proxy::Proxy;
use crate::stub::log::now_us;

/// The lease of a worker lasts three seconds and is looked at every half: what is frozen or cut off for longer than this
/// has lost it.
const BEYOND_THE_LEASE_MS: std::ops::Range<u64> = 4_500..6_500;

/// A shorter time, for what has no lease.
const A_WHILE_MS: std::ops::Range<u64> = 1_000..4_000;

/// One fault that was struck.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What it was.
    pub kind: Kind,
    /// From the strike until what was struck worked again.
    pub span: Span,
    /// Calls that were in flight at the strike.
    pub in_flight: u64,
    /// The process that was struck, where it was a worker.
    pub worker: Option<u32>,
}

/// Strikes, and mends what was struck; answers when that was, in microseconds since 1970, and which worker it was.
async fn strike(cluster: &Cluster, kind: Kind, rng: &mut Rng) -> anyhow::Result<(u64, Option<u32>)> {
    let mended_us = match kind.target {
        Target::Worker => {
            let worker = one_of(&cluster.workers, rng);
            let pid = worker.process().pid();
            return Ok((node(worker, kind.means, BEYOND_THE_LEASE_MS, rng).await?, pid));
        }
        Target::Api => node(one_of(&cluster.apis, rng), kind.means, A_WHILE_MS, rng).await,
        Target::Postgres => {
            let links: Vec<&Proxy> = cluster.nodes().map(|node| &node.database_link).collect();
            let process = cluster.postgres.process();
            match kind.means {
                Means::Kill => {
                    killed(process, rng).await?;
                    cluster.postgres.restart().await.map(|()| now_us())
                }
                // Longer than a lease, too: a database that stands still must kill nobody.
                means => paused(process, &links, means, BEYOND_THE_LEASE_MS, rng).await,
            }
        }
        Target::RabbitMq => match kind.means {
            Means::Kill => {
                killed(cluster.rabbitmq.process(), rng).await?;
                cluster.rabbitmq.restart().await.map(|()| now_us())
            }
            means => paused(cluster.rabbitmq.process(), &[&cluster.queue_link], means, A_WHILE_MS, rng).await,
        },
        Target::Redis => match kind.means {
            Means::Kill => {
                killed(cluster.redis.process(), rng).await?;
                cluster.redis.restart().await.map(|()| now_us())
            }
            means => paused(cluster.redis.process(), &[&cluster.cache_link], means, A_WHILE_MS, rng).await,
        },
    };
    Ok((mended_us?, None))
}

fn one_of<'a>(nodes: &'a [Node], rng: &mut Rng) -> &'a Node {
    &nodes[rng.usize(..nodes.len())]
}

async fn node(
    node: &Node,
    means: Means,
    length_ms: std::ops::Range<u64>,
    rng: &mut Rng,
) -> anyhow::Result<u64> {
    if means == Means::Kill {
        killed(node.process(), rng).await?;
        return node.restart().await.map(|()| now_us());
    }
    paused(node.process(), &[&node.database_link], means, length_ms, rng).await
}

/// Dead for a moment or, often, for longer than a lease.
async fn killed(process: &Process, rng: &mut Rng) -> anyhow::Result<()> {
    process.kill_9()?;
    let pause = if rng.bool() { rng.u64(0..300) } else { rng.u64(A_WHILE_MS) };
    tokio::time::sleep(Duration::from_millis(pause)).await;
    Ok(())
}

/// Frozen or cut off for a time; answers when that was over. The clock is read before it is: what was frozen may act
/// before this process does.
async fn paused(
    process: &Process,
    links: &[&Proxy],
    means: Means,
    length_ms: std::ops::Range<u64>,
    rng: &mut Rng,
) -> anyhow::Result<u64> {
    let length = Duration::from_millis(rng.u64(length_ms));
    if means == Means::Freeze {
        process.freeze();
        tokio::time::sleep(length).await;
        let over_us = now_us();
        process.thaw();
        return Ok(over_us);
    }
    let silent = rng.bool();
    links.iter().for_each(|link| if silent { link.stall() } else { link.refuse() });
    tokio::time::sleep(length).await;
    let over_us = now_us();
    links.iter().for_each(|link| link.resume());
    Ok(over_us)
}

impl Fault {
    /// Strikes one fault; `in_flight` calls are under way.
    pub async fn strike(
        cluster: &Cluster,
        kind: Kind,
        in_flight: u64,
        rng: &mut Rng,
    ) -> anyhow::Result<Self> {
        let from_us = now_us();
        let (until_us, worker) = strike(cluster, kind, rng).await?;
        Ok(Self { kind, span: Span { from_us, until_us }, in_flight, worker })
    }
}
