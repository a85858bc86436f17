//! The worst moments, one after the other and none of them left to luck: a lock that the test holds makes a process stand
//! still between two of its steps while others go on. Where the store keeps its promises nobody can tell afterwards; a
//! store that lacks one of its guards is found at once, which `e2e/faults` has planted faults to show.

mod poison;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::Recorded;
use agenticai_domain::task::TaskInput;
use agenticai_wire::{CreateTaskRequest, SignalRequest, TaskView};
use anyhow::Context as _;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::owners::process_of;
use super::stage::{Stage, row};
use crate::checker::{self, Accepted, read_log};
use crate::cluster::Node;
use crate::kill::agents::WORKER;
use crate::stub::script::{Script, ScriptCall};

/// How long anything may take to come to the point where it is held.
const WITHIN: Duration = Duration::from_secs(20);
/// How long a task may take to end once nothing is in its way.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// How long a model takes where something must be done before it answers, in milliseconds.
const LONG_MS: u64 = 2_000;
/// What somebody gets who would take over too early: several rounds of those who look for dead workers.
const TOO_EARLY: Duration = Duration::from_millis(2_500);

/// Goes through every moment, and lets the checker judge. `sabotage` is SQL that plants a fault into the store: then the
/// run must fail.
pub async fn run(dir: &Path, sabotage: Option<String>) -> anyhow::Result<()> {
    let began = Instant::now();
    println!("worst moments");
    let stage = Stage::set(dir, |cluster| cluster.sql.extend(sabotage)).await?;
    let mut moments = Moments { stage: &stage, accepted: Vec::new(), wrong: Vec::new(), struck: Vec::new() };
    moments.a_message_between_look_and_wait().await.context("a message between look and wait")?;
    moments.a_takeover_during_an_append().await.context("a takeover during an append")?;
    moments.a_death_after_a_commit().await.context("a death after a commit")?;
    moments.one_key_everywhere().await.context("one key everywhere")?;
    moments.two_tasks_of_a_thread().await.context("two tasks of a thread")?;
    moments.a_task_that_kills_its_process().await.context("a task that kills its process")?;
    let Moments { accepted, mut wrong, struck, .. } = moments;
    let (ended, evidence) = stage.rest(accepted, &struck).await?;
    let report = checker::check(&evidence);
    print!("{report}{}", report.invariants());
    row("seconds", began.elapsed().as_secs());
    wrong.extend(report.violations.iter().map(|v| format!("{:?}: {}: {}", v.rule, v.task, v.detail)));
    ended.conclude(&wrong, "the worst moments")
}

/// What has been gone through.
struct Moments<'a> {
    stage: &'a Stage,
    accepted: Vec<Accepted>,
    wrong: Vec<String>,
    struck: Vec<u32>,
}

/// A transaction that stands in others' way until it is ended.
struct Holder(Client);

impl Holder {
    async fn hold(stage: &Stage, sql: &str) -> anyhow::Result<Self> {
        let client = stage.cluster.connect().await?;
        client.batch_execute(&format!("BEGIN; {sql}")).await?;
        Ok(Self(client))
    }

    /// Returns when a call of a function of the schema waits for a lock.
    async fn until_waits(&self, function: &str) -> anyhow::Result<()> {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                                  AND wait_event_type = 'Lock' AND query LIKE '%' || $1::text || '(%')";
        eventually(&format!("{function} waits for a lock"), async || {
            // A transaction goes on seeing the activity that it saw first.
            self.0.batch_execute("SELECT pg_stat_clear_snapshot()").await?;
            let waits: bool = self.0.query_one(sql, &[&function]).await?.try_get(0)?;
            Ok(waits.then_some(()))
        })
        .await
    }

    /// Gets out of the way as if it had never been there.
    async fn vanish(self) -> anyhow::Result<()> {
        Ok(self.0.batch_execute("ROLLBACK").await?)
    }
}

impl Moments<'_> {
    /// A worker has looked into the inbox and is about to commit its wait; the message comes first by a hair. The wait
    /// must be refused: whoever let it in would sleep through the message for ever.
    async fn a_message_between_look_and_wait(&mut self) -> anyhow::Result<()> {
        let task =
            self.create("look-and-wait", vec![call("wait_signal", json!({"name": "go"}))], LONG_MS).await?;
        self.calls_in_flight().await?;
        let lock = format!("SELECT 1 FROM tasks WHERE id = '{task}' FOR UPDATE");
        let holder = Holder::hold(self.stage, &lock).await?;
        let api = self.stage.api.clone();
        let sending = tokio::spawn(async move { api.signal(task, &go()).await });
        holder.until_waits("deliver").await?;
        anyhow::ensure!(
            self.stage.stub.in_flight() > 0,
            "the machine is too slow: the model has answered already"
        );
        // Now the wait comes to stand behind the message.
        holder.until_waits("append_runs").await?;
        holder.vanish().await?;
        sending.await?.context("the signal")?;
        if self.end(task).await?.is_none() {
            self.wrong
                .push(format!("{task} sleeps through a signal that came before its wait was committed"));
        }
        Ok(())
    }

    /// An append stands between its lock and its commit when its worker is frozen and declared dead. The takeover must
    /// wait for it: whoever went on without the entry would pay for its answer once more. Then the worker wakes as a
    /// zombie.
    async fn a_takeover_during_an_append(&mut self) -> anyhow::Result<()> {
        let task = self
            .create("takeover", vec![call("lookup", json!({"q": "it", "latency_ms": 50}))], LONG_MS)
            .await?;
        self.calls_in_flight().await?;
        let (worker, incarnation) = owner(self.stage, task).await?;
        let entry = format!(
            "INSERT INTO journal (task, seq, at, tenant, bucket, epoch, entry)
             SELECT num, 1, 1, tenant, bucket, 1, '' FROM tasks WHERE id = '{task}'"
        );
        let holder = Holder::hold(self.stage, &entry).await?;
        holder.until_waits("append_runs").await?;
        self.struck.extend(worker.process().pid());
        worker.process().freeze();
        let watcher = self.stage.cluster.connect().await?;
        let died = eventually("the worker is declared dead", async || {
            let sql = "SELECT state > 0 FROM workers WHERE id = $1";
            let dead: bool = watcher.query_one(sql, &[&incarnation]).await?.try_get(0)?;
            Ok(dead.then_some(()))
        });
        let died = died.await;
        tokio::time::sleep(TOO_EARLY).await;
        holder.vanish().await?;
        let ended = self.end(task).await;
        worker.process().thaw();
        died?;
        anyhow::ensure!(ended?.is_some(), "{task} did not end");
        let asked = self.model_calls(task, StepId::model(1))?;
        if asked != 1 {
            self.wrong.push(format!("{task}: {asked} calls of a model whose answer was being committed"));
        }
        Ok(())
    }

    /// A worker is killed when an entry has been committed and read. Whoever goes on must find it.
    async fn a_death_after_a_commit(&mut self) -> anyhow::Result<()> {
        let slow = json!({"q": "it", "latency_ms": 2 * LONG_MS});
        let task = self.create("death", vec![call("lookup", slow)], 20).await?;
        let api = &self.stage.api;
        let read: Vec<Recorded> = eventually("an entry is committed", async || {
            Ok(Some(api.journal(task).await?).filter(|journal| !journal.is_empty()))
        })
        .await?;
        self.calls_in_flight().await?;
        let (worker, _) = owner(self.stage, task).await?;
        self.struck.extend(worker.process().pid());
        worker.process().kill_9()?;
        worker.restart().await?;
        anyhow::ensure!(self.end(task).await?.is_some(), "{task} did not end");
        let journal = self.stage.api.journal(task).await?;
        if !journal.starts_with(&read) {
            self.wrong.push(format!(
                "{task}: {} entries were read before a worker died, and are not there afterwards",
                read.len()
            ));
        }
        Ok(())
    }

    /// A client hangs up and asks again, of both processes at once: there is one task.
    async fn one_key_everywhere(&mut self) -> anyhow::Result<()> {
        for n in 0..20 {
            let key = format!("everywhere-{n}");
            let request = request(vec![call("lookup", json!({"q": key}))], 5);
            let hung_up = self.stage.api.create_task(&request, &key);
            let hung_up = tokio::time::timeout(Duration::from_millis(n), hung_up).await;
            let each = self.stage.api.each();
            let (first, last) = (&each[0], &each[each.len() - 1]);
            let (one, other) =
                tokio::try_join!(first.create_task(&request, &key), last.create_task(&request, &key))?;
            let mut ids = vec![one.id, other.id];
            if let Ok(answer) = hung_up {
                ids.push(answer?.id);
            }
            let different: BTreeSet<TaskId> = ids.iter().copied().collect();
            if different.len() > 1 {
                self.wrong.push(format!("key {key} was given {} tasks", different.len()));
            }
            self.accepted.push(Accepted { key, ids });
        }
        Ok(())
    }

    /// A task comes while another one of its thread is active: it must wait until that has ended.
    async fn two_tasks_of_a_thread(&mut self) -> anyhow::Result<()> {
        let mut ids = Vec::new();
        for n in 1..=2 {
            let key = format!("thread-{n}");
            let request = CreateTaskRequest {
                thread: Some("moment".to_owned()),
                ..request(vec![call("lookup", json!({"q": key}))], LONG_MS / 2)
            };
            let id = self.stage.api.create_task(&request, &key).await?.id;
            self.accepted.push(Accepted { key, ids: vec![id] });
            ids.push(id);
        }
        for id in ids {
            anyhow::ensure!(self.end(id).await?.is_some(), "{id} did not end");
        }
        Ok(())
    }

    /// Creates a task that calls one tool and is done.
    async fn create(&mut self, key: &str, turn: Vec<ScriptCall>, latency_ms: u64) -> anyhow::Result<TaskId> {
        let id = self.stage.api.create_task(&request(turn, latency_ms), key).await?.id;
        self.accepted.push(Accepted { key: key.to_owned(), ids: vec![id] });
        Ok(id)
    }

    async fn calls_in_flight(&self) -> anyhow::Result<()> {
        eventually("a call is in flight", async || Ok((self.stage.stub.in_flight() > 0).then_some(()))).await
    }

    /// Waits for a task's end. One that does not come to it is cancelled, so that the run can go on: `None`.
    async fn end(&self, task: TaskId) -> anyhow::Result<Option<TaskView>> {
        match self.stage.api.wait_end(task, ENDS_WITHIN).await {
            Ok(task) => Ok(Some(task)),
            Err(_) => {
                self.stage.api.cancel(task).await?;
                Ok(None)
            }
        }
    }

    /// How often a step's call reached the model.
    fn model_calls(&self, task: TaskId, step: StepId) -> anyhow::Result<usize> {
        let (task, step) = (task.to_string(), step.to_string());
        let calls = read_log(&self.stage.log()?)?;
        let of_step = |call: &&checker::Call| {
            call.task.as_deref() == Some(&task) && call.step.as_deref() == Some(&step)
        };
        Ok(calls.iter().filter(of_step).count())
    }
}

/// The worker of the cluster that holds a task, and its incarnation.
async fn owner(stage: &Stage, task: TaskId) -> anyhow::Result<(&Node, i64)> {
    let held = holder(&stage.cluster.connect().await?, task).await?;
    let (incarnation, process) = held.with_context(|| format!("nobody holds {task}"))?;
    let node = worker(stage, process);
    Ok((
        node.with_context(|| format!("process {process} holds {task} and is none of the cluster"))?,
        incarnation,
    ))
}

/// The live incarnation that holds a task, and its process.
async fn holder(client: &Client, task: TaskId) -> anyhow::Result<Option<(i64, u32)>> {
    let sql =
        "SELECT w.id, w.name FROM held h JOIN workers w ON w.id = h.worker WHERE h.id = $1 AND w.state = 0";
    let Some(row) = client.query_opt(sql, &[&task.0]).await? else { return Ok(None) };
    let name: String = row.try_get(1)?;
    let process = process_of(&name).with_context(|| format!("{name} does not end with a process id"))?;
    Ok(Some((row.try_get(0)?, process)))
}

/// The worker of the cluster that is this process.
fn worker(stage: &Stage, process: u32) -> Option<&Node> {
    stage.cluster.workers.iter().find(|worker| worker.process().pid() == Some(process))
}

fn call(tool: &str, arguments: Value) -> ScriptCall {
    ScriptCall { tool: tool.to_owned(), arguments }
}

fn request(turn: Vec<ScriptCall>, latency_ms: u64) -> CreateTaskRequest {
    let script = Script { turns: vec![turn], answer: "done".to_owned(), latency_ms: Some(latency_ms) };
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

fn go() -> SignalRequest {
    SignalRequest {
        step: None,
        decision: None,
        arguments: None,
        reason: None,
        value: None,
        name: Some("go".to_owned()),
        payload: None,
        dedupe_id: Some("go".to_owned()),
    }
}

/// Asks again and again until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        anyhow::ensure!(began.elapsed() < WITHIN, "it did not come to this within {WITHIN:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
