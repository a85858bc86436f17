//! The README's prompt against a real language model: 135 million parameters behind llama.cpp's own server.
//!
//! Such a model is right by luck. What is demanded is that the protocol holds, that its calls are valid and performed,
//! that a kill in the middle loses nothing, and that every task's state is true.

mod judge;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskInput;
use agenticai_wire::CreateTaskRequest;
use anyhow::Context as _;
use serde_json::json;

use crate::api::Api;
use crate::stub::log::now_us;
use crate::up::Up;
use server::ModelServer;

/// What the README asks.
pub const PROMPT: &str = "What is 17% of 2,340? Use the calculator.";

/// Where the parts are.
#[derive(Debug, Clone)]
pub struct RealModelConfig {
    /// A Python with the packages of `e2e/real-model/requirements.txt`.
    pub python: PathBuf,
    /// The model's weights (GGUF).
    pub weights: PathBuf,
    /// The directory `e2e/real-model`.
    pub scripts: PathBuf,
    /// How often the prompt is asked.
    pub runs: usize,
    /// Where data and logs go.
    pub dir: PathBuf,
}

/// How long one task may take: a few seconds alone, far more on a busy machine.
const TASK_WITHIN: Duration = Duration::from_secs(180);

/// Asks the prompt again and again, once with a kill in the middle; then asks for structured output.
pub async fn run(config: &RealModelConfig) -> anyhow::Result<()> {
    let readme = std::fs::read_to_string(config.scripts.join("../../README.md")).context("README.md")?;
    anyhow::ensure!(readme.contains(PROMPT), "the README's prompt is no longer `{PROMPT}`");
    std::fs::create_dir_all(&config.dir)?;
    prompts(config).await?;
    structured(config).await
}

async fn prompts(config: &RealModelConfig) -> anyhow::Result<()> {
    let model = ModelServer::start(config, Some("strict.jinja")).await?;
    let mut up = Up::new(&config.dir.join("prompts"), &[("AGENTICAI_MODEL_URL", model.url())])?;
    up.start().await?;
    let killed_at = config.runs / 2;
    for n in 0..config.runs {
        if n == killed_at {
            kill_in_the_middle(&mut up).await?;
            continue;
        }
        let ran = up.command(&["run", "--json", PROMPT]).output()?;
        // A failed task is an honest end; that its state is true is judged below.
        if !matches!(ran.status.code(), Some(0 | 1)) {
            let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
            anyhow::bail!("`agenticai run` ended with {}:\n{out}\n{err}\n{}", ran.status, up.log_tail());
        }
    }
    let verdict = judge::judge(&up.api()?).await?;
    println!("{verdict}");
    anyhow::ensure!(verdict.tasks >= config.runs, "{} tasks of {} exist", verdict.tasks, config.runs);
    let needed = config.runs * 9 / 10;
    anyhow::ensure!(
        verdict.called >= needed,
        "the calculator was called with valid arguments in {} of {} runs, {needed} are needed",
        verdict.called,
        verdict.tasks
    );
    anyhow::ensure!(verdict.faults.is_empty(), "untrue states: {:#?}", verdict.faults);
    up.terminate(Duration::from_secs(30)).await
}

/// Kills the server while the task's model call is under way. Where the task was faster, it counts as a run and
/// another is made.
async fn kill_in_the_middle(up: &mut Up) -> anyhow::Result<()> {
    for attempt in 0..10 {
        let api = up.api()?;
        let id = create(&api, "assistant", PROMPT, &format!("killed-{attempt}")).await?;
        while api.task(id).await?.started_at.is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(100 + 50 * attempt)).await;
        let killed_ms = i64::try_from(now_us() / 1000)?;
        up.kill_9()?;
        up.start().await?;
        let task = up.api()?.wait_end(id, TASK_WITHIN).await?;
        let completed: jiff::Timestamp = task.completed_at.context("it has no time of its end")?.parse()?;
        if completed.as_millisecond() > killed_ms {
            println!("  killed in the middle: the task went on and is {}", task.status.as_str());
            return Ok(());
        }
    }
    anyhow::bail!("ten tasks ended before the kill")
}

/// The model's own template, with which llama.cpp enforces a schema.
async fn structured(config: &RealModelConfig) -> anyhow::Result<()> {
    let model = ModelServer::start(config, None).await?;
    let mut up = Up::new(&config.dir.join("structured"), &[("AGENTICAI_MODEL_URL", model.url())])?;
    up.start().await?;
    let api = up.api()?;
    let properties = json!({
        "name": {"type": "string", "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    });
    let schema = json!({
        "type": "object", "properties": properties, "required": ["name", "age"], "additionalProperties": false,
    });
    api.put_agent(&json!({"name": "person", "model": "smollm2", "output": {"schema": schema}})).await?;
    let mut fits = 0;
    let runs = config.runs.div_ceil(4);
    for n in 0..runs {
        let id = create(&api, "person", "Make up a person.", &format!("person-{n}")).await?;
        let task = api.wait_end(id, TASK_WITHIN).await?;
        let output = task.output.unwrap_or_default();
        fits += usize::from(output["name"].is_string() && output["age"].is_u64());
    }
    let verdict = judge::judge(&api).await?;
    println!("  structured output as demanded: {fits} of {runs}");
    anyhow::ensure!(verdict.faults.is_empty(), "untrue states: {:#?}", verdict.faults);
    anyhow::ensure!(fits * 5 >= runs * 4, "structured output fits the schema in {fits} of {runs} runs");
    up.terminate(Duration::from_secs(30)).await
}

async fn create(api: &Api, agent: &str, prompt: &str, key: &str) -> anyhow::Result<TaskId> {
    let request = CreateTaskRequest {
        agent: agent.to_owned(),
        agent_version: None,
        input: TaskInput::Text(prompt.to_owned()),
        priority: None,
        timeout_seconds: None,
        metadata: serde_json::Map::new(),
        thread: None,
        if_active: None,
        budget: None,
    };
    Ok(api.create_task(&request, key).await?.id)
}
