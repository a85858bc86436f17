//! Processes are stopped by SIGTERM, one after the other, while clients go through a load balancer: no request may fail,
//! nothing may be lost, and no model may be paid twice. A restart starts the same process again; a replacement starts another
//! one first, and stops the old one when that is ready, as a Deployment with `maxSurge: 1, maxUnavailable: 0` does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agenticai_domain::task::TaskInput;
use agenticai_wire::CreateTaskRequest;
use anyhow::Context as _;
use fastrand::Rng;
use serde_json::json;
use tokio::task::JoinHandle;

use super::meters::takeovers_of;
use super::outage::faults;
use super::stage::{Stage, row};
use crate::api::Api;
use crate::checker::{self, Accepted};
use crate::cluster::{ClusterConfig, Node, Role};
use crate::http::free_port;
use crate::kill::agents::WORKER;
use crate::servers::haproxy::HaProxy;
use crate::stub::script::{Script, ScriptCall};

/// Clients, each with one request under way.
const CLIENTS: usize = 6;
/// How long an API goes on serving after it has said that it is not ready: the balancer asks every 200 ms.
const PRE_STOP_SECONDS: u64 = 2;
/// How long steps may take after SIGTERM. Those here take less than a second.
const DRAIN_SECONDS: u64 = 10;
/// How long a process may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(PRE_STOP_SECONDS + DRAIN_SECONDS + 10);
/// How long the balancer is given to see a server that is back.
const SEEN_AGAIN: Duration = Duration::from_secs(1);

/// What clients do and see.
#[derive(Default)]
struct Traffic {
    stop: AtomicBool,
    requests: AtomicU64,
    numbers: AtomicU64,
}

/// Restarts every process, one after the other, `rounds` times.
pub async fn restart(seed: u64, rounds: usize, dir: &Path) -> anyhow::Result<()> {
    println!("rolling restart: seed {seed}, {rounds} rounds");
    let stage = set(dir, |cluster| cluster.schedulers = 2).await?;
    let ports: Vec<u16> = stage.cluster.apis.iter().map(Node::port).collect();
    let load = Rolling::begin(stage, &ports, seed).await?;
    let (mut stopped, mut idle) = (0_usize, 0_usize);
    for _ in 0..rounds {
        for node in load.stage.cluster.nodes() {
            idle += load.idle().await;
            node.process().terminate(ENDS_WITHIN).await?;
            node.restart().await?;
            stopped += 1;
            tokio::time::sleep(SEEN_AGAIN).await;
        }
    }
    load.end(stopped, idle, &format!("the rolling restart with seed {seed}")).await
}

/// Replaces `api` and `worker`, of which there is one each, `rounds` times.
pub async fn replace(seed: u64, rounds: usize, dir: &Path) -> anyhow::Result<()> {
    println!("rolling replacement: seed {seed}, {rounds} rounds");
    let stage = set(dir, |cluster| (cluster.apis, cluster.workers) = (1, 1)).await?;
    let mut ports: Vec<u16> = stage.cluster.apis.iter().map(Node::port).collect();
    for _ in 0..rounds {
        ports.push(free_port()?);
    }
    let mut load = Rolling::begin(stage, &ports, seed).await?;
    let (mut stopped, mut idle) = (0_usize, 0_usize);
    for role in [Role::Api, Role::Worker] {
        // Those that came later, whose predecessors have ended.
        let mut newest: Option<Node> = None;
        for (round, port) in (1..=rounds).zip(ports.iter().copied().skip(1)) {
            let next = load.stage.cluster.start_more(role, round + 1, port).await?;
            tokio::time::sleep(SEEN_AGAIN).await;
            idle += load.idle().await;
            let of_cluster = match role {
                Role::Api => &load.stage.cluster.apis,
                _ => &load.stage.cluster.workers,
            };
            let old = newest.as_ref().or(of_cluster.first()).context("the cluster has one")?;
            load.takeovers += takeovers_of(old).await?;
            old.process().terminate(ENDS_WITHIN).await?;
            stopped += 1;
            newest = Some(next);
        }
        load.kept.extend(newest);
    }
    load.end(stopped, idle, &format!("the rolling replacement with seed {seed}")).await
}

/// A cluster that says early enough that it stops.
async fn set(dir: &Path, more: impl FnOnce(&mut ClusterConfig)) -> anyhow::Result<Stage> {
    Stage::set(dir, |cluster| {
        cluster.env.extend([
            ("AGENTICAI_CLUSTER_PRE_STOP_SECONDS".to_owned(), PRE_STOP_SECONDS.to_string()),
            ("AGENTICAI_WORKER_DRAIN_SECONDS".to_owned(), DRAIN_SECONDS.to_string()),
        ]);
        more(cluster);
    })
    .await
}

/// Clients at work.
struct Rolling {
    stage: Stage,
    began: Instant,
    traffic: Arc<Traffic>,
    clients: Vec<JoinHandle<(Vec<Accepted>, Vec<String>)>>,
    /// Processes beside those of the cluster, which live until everything has ended.
    kept: Vec<Node>,
    /// Tasks that such processes had taken over before they ended.
    takeovers: u64,
    _balancer: HaProxy,
}

impl Rolling {
    /// Lets clients submit through a balancer before APIs on these ports, of which some may not be there yet.
    async fn begin(mut stage: Stage, ports: &[u16], seed: u64) -> anyhow::Result<Self> {
        let balancer = HaProxy::start(ports, "/health/ready").await?;
        tokio::time::sleep(SEEN_AGAIN).await;
        let (traffic, api) = (Arc::new(Traffic::default()), stage.cluster.api_at(balancer.url()));
        // An API of the cluster may have ended when everything comes to rest.
        stage.api = api.clone();
        let client = |n| tokio::spawn(submit(api.clone(), traffic.clone(), Rng::with_seed(seed + n)));
        let clients = (0..CLIENTS as u64).map(client).collect();
        Ok(Self {
            stage,
            began: Instant::now(),
            traffic,
            clients,
            kept: Vec::new(),
            takeovers: 0,
            _balancer: balancer,
        })
    }

    /// Waits a moment; 1 if no call is under way then, and whatever comes next proves little.
    async fn idle(&self) -> usize {
        tokio::time::sleep(Duration::from_secs(1)).await;
        usize::from(self.stage.stub.in_flight() == 0)
    }

    /// Lets clients stop and tasks end, and judges.
    async fn end(self, stopped: usize, idle: usize, what: &str) -> anyhow::Result<()> {
        self.traffic.stop.store(true, Ordering::Relaxed);
        let (mut accepted, mut wrong) = (Vec::new(), Vec::new());
        for client in self.clients {
            let (made, failed) = client.await.context("a client panicked")?;
            accepted.extend(made);
            wrong.extend(failed);
        }

        let failed = wrong.len();
        let mut takeovers = self.takeovers;
        for node in &self.kept {
            takeovers += takeovers_of(node).await?;
        }
        let (ended, evidence) = self.stage.rest(accepted, &[]).await?;
        let report = checker::check(&evidence);
        print!("{report}");
        row("processes stopped", stopped);
        row("requests through the balancer", self.traffic.requests.load(Ordering::Relaxed));
        row("of these failed", failed);
        takeovers += ended.sums.takeovers();
        row("tasks taken over from dead workers", takeovers);
        row("model calls repeated", report.counts.model_repeats);
        row("seconds", self.began.elapsed().as_secs());
        wrong.extend(faults(&report));
        if idle * 2 > stopped {
            wrong.push(format!("void: {idle} of {stopped} were stopped when no call was in flight"));
        }
        if takeovers > 0 {
            wrong.push("tasks were taken over although every worker handed its own back".to_owned());
        }
        ended.conclude(&wrong, what)
    }
}

/// Submits and asks until told to stop. No request is sent again: one that fails is a fault.
async fn submit(api: Api, traffic: Arc<Traffic>, mut rng: Rng) -> (Vec<Accepted>, Vec<String>) {
    let (mut accepted, mut failed) = (Vec::new(), Vec::new());
    while !traffic.stop.load(Ordering::Relaxed) {
        let number = traffic.numbers.fetch_add(1, Ordering::Relaxed);
        let key = format!("rolling-{number}");
        traffic.requests.fetch_add(1, Ordering::Relaxed);
        match api.create_task(&request(number, &mut rng), &key).await {
            Ok(task) => {
                accepted.push(Accepted { key, ids: vec![task.id] });
                traffic.requests.fetch_add(1, Ordering::Relaxed);
                if let Err(error) = api.task(task.id).await {
                    failed.push(format!("reading {}: {error}", task.id));
                }
            }
            Err(error) => failed.push(format!("submitting {key}: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(100..400))).await;
    }
    (accepted, failed)
}

fn request(number: u64, rng: &mut Rng) -> CreateTaskRequest {
    let call = |tool: &str, arguments| ScriptCall { tool: tool.to_owned(), arguments };
    let turns = vec![
        vec![call("lookup", json!({"q": format!("{number}"), "latency_ms": rng.u64(0..100)}))],
        vec![
            call("charge", json!({"amount": number, "latency_ms": rng.u64(10..300)})),
            call("note", json!({"text": format!("note of {number}"), "latency_ms": rng.u64(10..100)})),
        ],
    ];
    let script = Script { turns, answer: format!("{number} is done"), latency_ms: Some(rng.u64(20..300)) };
    CreateTaskRequest {
        agent: WORKER.to_owned(),
        agent_version: None,
        input: TaskInput::Text(script.to_message()),
        priority: None,
        timeout_seconds: None,
        metadata: serde_json::Map::new(),
        thread: None,
        if_active: None,
        budget: None,
    }
}
