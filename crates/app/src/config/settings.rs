//! Resolved configuration: typed, checked, nothing left to look up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::cluster::{Cluster, Database, RabbitMq, Redis, Scheduler};
use super::layers::Environment;
use super::reader::{Reader, quote};
use super::source::{Source, did_you_mean};
use super::tables::{self, McpServer, Price, Provider};

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where database, blobs and API key lie.
    pub data_dir: PathBuf,
    /// The API.
    pub server: Server,
    /// Logs.
    pub log: Log,
    /// Execution.
    pub worker: Worker,
    /// The database of a cluster.
    pub database: Database,
    /// The queue of a cluster.
    pub rabbitmq: RabbitMq,
    /// The cache of a cluster.
    pub redis: Redis,
    /// Processes of a cluster.
    pub cluster: Cluster,
    /// `scheduler`.
    pub scheduler: Scheduler,
    /// The directory of large payloads of a cluster; absent: they lie in the database.
    pub blobs_dir: Option<PathBuf>,
    /// Model calls.
    pub models: Models,
    /// Tool calls.
    pub tools: Tools,
    /// Providers of models out of the file.
    pub providers: Vec<Provider>,
    /// Prices out of the file.
    pub prices: Vec<Price>,
    /// Where tools may connect to.
    pub egress_allow: Vec<String>,
    /// Directory with a file per secret.
    pub secrets_dir: Option<PathBuf>,
    /// MCP servers that agents refer to by name.
    pub mcp: BTreeMap<String, McpServer>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Port, on the loopback addresses for `up` and on all for `api`; 0 picks a free one.
    pub port: u16,
    /// Bound on a request's body.
    pub max_body_bytes: usize,
    /// Items of a page where a request does not say.
    pub default_page_size: u32,
    /// Items of a page at most.
    pub max_page_size: u32,
    /// Bound on a task's metadata.
    pub max_metadata_bytes: usize,
    /// Bound on a task's time-out.
    pub max_task_timeout: Duration,
    /// How long `Prefer: wait=N` may hold a request.
    pub max_wait: Duration,
    /// Pause after which a silent stream sends a comment.
    pub keep_alive: Duration,
    /// How often the journal is looked at for streams.
    pub stream_poll: Duration,
    /// How long a key is trusted without being looked up.
    pub key_trust: Duration,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// Level or rules.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[worker]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Tasks advanced at the same time.
    pub concurrency: u32,
    /// Time for running steps at SIGTERM.
    pub drain: Duration,
    /// Bound on a `once` tool's time-out.
    pub max_once_timeout: Duration,
    /// Silence after which a worker counts as dead.
    pub lease_ttl: Duration,
    /// How often ready tasks are looked for without a hint.
    pub poll: Duration,
    /// Tasks of one claim at most.
    pub max_claim: usize,
    /// Tasks whose steps one commit takes at most.
    pub max_append: usize,
    /// Calls whose worth is drawn from a budget at once.
    pub budget_calls: u32,
}

/// `[models]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models {
    /// Bound on connecting.
    pub connect_timeout: Duration,
    /// Bound on the first token.
    pub first_token_timeout: Duration,
    /// Bound on an answer.
    pub timeout: Duration,
    /// Attempts of one call.
    pub max_attempts: u32,
    /// Pause before the second attempt.
    pub retry_pause: Duration,
    /// Bound on the pauses that follow.
    pub max_retry_pause: Duration,
    /// Bound on a pause that the provider asks for.
    pub max_retry_after: Duration,
    /// The model of `assistant`, where the user chose one.
    pub default: Option<String>,
}

/// `[tools]`: what holds where a tool does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// Time-out of an attempt.
    pub timeout: Duration,
    /// Bound on a result.
    pub max_result_bytes: u32,
}

const DAY: u64 = 86_400;

/// Every client may ask for pages of so many items.
const LEAST_PAGE: u64 = 1000;

impl Settings {
    /// Reads every setting.
    pub fn read(reader: &mut Reader<'_>, environment: &Environment) -> Self {
        let settings = Self {
            data_dir: data_dir(reader, environment),
            server: Server {
                port: reader.whole("server.port", 0..=u64::from(u16::MAX)),
                max_body_bytes: reader.whole("server.max_body_bytes", 1024..=(1 << 30)),
                default_page_size: reader.whole("server.default_page_size", 1..=LEAST_PAGE),
                max_page_size: reader.whole("server.max_page_size", LEAST_PAGE..=10_000),
                max_metadata_bytes: reader.whole("server.max_metadata_bytes", 1024..=(1 << 20)),
                max_task_timeout: reader.seconds("server.max_task_timeout_seconds", 1..=10 * 366 * DAY),
                max_wait: reader.seconds("server.max_wait_seconds", 1..=3600),
                keep_alive: reader.seconds("server.keep_alive_seconds", 1..=3600),
                stream_poll: reader.milliseconds("server.stream_poll_ms", 50..=60_000),
                key_trust: reader.seconds("server.key_trust_seconds", 0..=3600),
            },
            log: Log {
                format: reader
                    .choice("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])
                    .unwrap_or(LogFormat::Text),
                level: log_level(reader),
            },
            worker: Worker {
                concurrency: reader.whole("worker.concurrency", 1..=100_000),
                drain: reader.seconds("worker.drain_seconds", 0..=DAY),
                max_once_timeout: reader.seconds("worker.max_once_timeout_seconds", 1..=DAY),
                lease_ttl: reader.seconds("worker.lease_ttl_seconds", 1..=300),
                poll: reader.milliseconds("worker.poll_ms", 10..=60_000),
                max_claim: reader.whole("worker.max_claim", 1..=10_000),
                max_append: reader.whole("worker.max_append", 1..=10_000),
                budget_calls: reader.whole("worker.budget_calls", 1..=10_000),
            },
            database: Database::read(reader),
            rabbitmq: RabbitMq::read(reader),
            redis: Redis::read(reader),
            cluster: Cluster::read(reader),
            scheduler: Scheduler::read(reader),
            blobs_dir: reader.text("blobs.directory").map(PathBuf::from),
            models: Models {
                connect_timeout: reader.seconds("models.connect_timeout_seconds", 1..=300),
                first_token_timeout: reader.seconds("models.first_token_timeout_seconds", 1..=DAY),
                timeout: reader.seconds("models.timeout_seconds", 1..=DAY),
                max_attempts: reader.whole("models.max_attempts", 1..=100),
                retry_pause: reader.milliseconds("models.retry_pause_ms", 1..=60_000),
                max_retry_pause: reader.seconds("models.max_retry_pause_seconds", 1..=3600),
                max_retry_after: reader.seconds("models.max_retry_after_seconds", 1..=DAY),
                default: reader.text("models.default"),
            },
            tools: Tools {
                timeout: reader.seconds("tools.timeout_seconds", 1..=DAY),
                max_result_bytes: reader.whole("tools.max_result_bytes", 1024..=(16 << 20)),
            },
            egress_allow: egress_allow(reader),
            secrets_dir: reader.text("secrets.dir").map(PathBuf::from),
            providers: tables::providers(reader),
            prices: tables::prices(reader),
            mcp: tables::mcp_servers(reader),
        };
        reader.refuse_unknown();
        settings
    }
}

fn log_level(reader: &mut Reader<'_>) -> String {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let level = reader.text("log.level").unwrap_or_else(|| "info".to_owned());
    let is_level = |text: &str| LEVELS.contains(&text.trim().to_ascii_lowercase().as_str());
    // The library takes a lone word that is no level for the name of a module, and logs all of it.
    let wrong =
        level.split(',').find(|rule| !is_level(rule.split_once('=').map_or(*rule, |(_, level)| level)));
    if let Some(rule) = wrong {
        let hint =
            did_you_mean(rule, LEVELS).map_or(String::new(), |level| format!("; did you mean `{level}`?"));
        let source = source_of(reader, "log.level");
        let message = format!(
            "holds `{rule}`, which is no level ({}) and no rule (`agenticai_worker=debug`){hint}",
            LEVELS.join(", ")
        );
        reader.wrong(&source, "log.level", message);
    }
    level
}

fn egress_allow(reader: &mut Reader<'_>) -> Vec<String> {
    let entries = reader.list("egress.allow");
    if let Err(mistakes) = agenticai_agent::tools::egress::EgressPolicy::parse(&entries, true) {
        let source = source_of(reader, "egress.allow");
        for mistake in mistakes {
            reader.wrong(&source, "egress.allow", mistake.to_string());
        }
    }
    entries
}

/// Where the value of a setting came from that was read already.
fn source_of(reader: &Reader<'_>, path: &str) -> Source {
    reader.shown.iter().find(|shown| shown.path == path).map_or(Source::Default, |shown| shown.source.clone())
}

/// The data directory, and where the platform keeps such things if nobody said.
fn data_dir(reader: &mut Reader<'_>, environment: &Environment) -> PathBuf {
    if let Some(dir) = reader.text("data_dir") {
        return std::path::absolute(&dir).unwrap_or_else(|_| PathBuf::from(dir));
    }
    let set = |name: &str| environment.get(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = set("HOME");
    let dir = if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library").join("Application Support"))
    } else {
        set("XDG_DATA_HOME").or_else(|| home.map(|home| home.join(".local").join("share")))
    };
    match dir {
        Some(dir) => {
            let dir = dir.join("agenticai");
            reader.show("data_dir", quote(&dir.display().to_string()), &Source::Default);
            dir
        }
        None => {
            reader.wrong(
                &Source::Default,
                "data_dir",
                "has no default here, because HOME is not set: give --data-dir DIR or AGENTICAI_DATA_DIR",
            );
            PathBuf::new()
        }
    }
}
