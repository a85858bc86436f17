//! W4: all workers are killed five times while 200 agents run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use agenticai_domain::spec::{AgentKind, Effect};
use agenticai_domain::task::WaitKind;

use super::system::{Kind, System, load};
use crate::api::{Api, ApiError};
use crate::checker::{self, Accepted, Evidence, TaskRecord};
use crate::load;
use crate::stub::Stub;

const TASKS: u64 = 200;
const KILLS: u64 = 5;
/// Model calls of a task.
const MODEL_CALLS: u64 = 5;

/// Kills when 1/6, 2/6 .. 5/6 of the model calls that are needed have been made, waits for all tasks and counts what
/// was lost or done again. `log` is the stub's, and `effect` what the agent's tool has.
pub async fn measure(
    system: &dyn System,
    stub: &Stub,
    log: Option<&Path>,
    effect: Effect,
    timeout: Duration,
) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let began = Instant::now();
    let load = load(system, Kind::Agent, TASKS, "crash".to_owned(), timeout);
    let mut running = tokio::spawn(async move { load::run(&load).await });
    let (mut kills, mut resolved) = (0, 0);
    let loaded = loop {
        if kills < KILLS && stub.model_calls() >= TASKS * MODEL_CALLS * (kills + 1) / (KILLS + 1) {
            system.kill_workers()?;
            kills += 1;
        }
        // Tasks that wait for a person make no model calls, so the next kill may wait for them, too.
        if stub.in_flight() == 0
            && let Some(api) = system.api()
        {
            resolved += resolve(api, stub).await?;
        }
        match tokio::time::timeout(Duration::from_millis(4), &mut running).await {
            Ok(loaded) => break loaded??,
            Err(_) => continue,
        }
    };
    anyhow::ensure!(kills == KILLS, "only {kills} kills until the tasks had ended or the time was over");
    let repeated = stub.repeated();
    let mut values = BTreeMap::from([
        ("kills", kills as f64),
        ("lost", loaded.accepted.saturating_sub(loaded.done.unwrap_or(0)) as f64),
        ("repeated_model_calls", repeated.models as f64),
        ("repeated_after_answer", repeated.models_after_answer as f64),
        ("repeated_tool_calls", repeated.tools as f64),
        ("seconds", began.elapsed().as_secs_f64()),
    ]);
    if let (Some(api), Some(log)) = (system.api(), log) {
        stub.sync_log()?;
        let report = checker::check(&evidence(api, log, effect).await?);
        values.insert("lost", (loaded.accepted - api.count("status=completed").await?) as f64);
        values.insert("repeated_after_commit", report.count(checker::Rule::NoCallAfterCommit) as f64);
        values.insert("uncertain_calls_resolved", resolved as f64);
        anyhow::ensure!(report.violations.is_empty(), "promises were broken:\n{report}");
    }
    Ok(values)
}

/// Does what a person does with a call whose outcome is unknown: looks at the other side. Answers how many there were.
async fn resolve(api: &Api, stub: &Stub) -> anyhow::Result<u64> {
    let mut resolved = 0;
    for task in api.tasks("status=waiting").await? {
        for wait in task.waiting_for.iter().filter(|wait| wait.kind == WaitKind::Uncertain) {
            let (decision, result) = match stub.performed(&wait.step.idempotency_key(task.id)) {
                true => ("done", Some("found on the other side".into())),
                false => ("not_done", None),
            };
            match api.resolve(task.id, wait.step, decision, result).await {
                Ok(_) => resolved += 1,
                // The wait is over already.
                Err(ApiError::Refused(409, _)) => {}
                Err(why) => return Err(why.into()),
            }
        }
    }
    Ok(resolved)
}

async fn evidence(api: &Api, log: &Path, effect: Effect) -> anyhow::Result<Evidence> {
    let mut tasks = Vec::new();
    for task in api.tasks("").await? {
        let (id, status, kind) = (task.id, task.status, AgentKind::React);
        let (parent, journal) = (task.parent, api.journal(id).await?);
        tasks.push(TaskRecord { id, status, kind, parent, thread: None, journal });
    }
    let calls = checker::read_log(log)?;
    // The load generator keeps no notes of what it was answered; that none is lost is seen from their number.
    let accepted =
        tasks.iter().map(|task| Accepted { key: task.id.to_string(), ids: vec![task.id] }).collect();
    Ok(Evidence {
        tasks,
        accepted,
        calls,
        effects: BTreeMap::from([("lookup".to_owned(), effect)]),
        ..Evidence::default()
    })
}
