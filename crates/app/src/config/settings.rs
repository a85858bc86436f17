//! Resolved configuration: typed, checked, nothing left to look up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::cluster::{Cluster, Database, Helper, Redis, Scheduler};
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
    pub rabbitmq: Helper,
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
    /// The model of `assistant`, where the user chose one.
    pub default: Option<String>,
}

const DAY: u64 = 86_400;

impl Settings {
    /// Reads every setting.
    pub fn read(reader: &mut Reader<'_>, environment: &Environment) -> Self {
        let settings = Self {
            data_dir: data_dir(reader, environment),
            server: Server {
                port: u16::try_from(reader.number("server.port", 0..=u64::from(u16::MAX)))
                    .unwrap_or_default(),
                max_body_bytes: usize::try_from(reader.number("server.max_body_bytes", 1024..=(1 << 30)))
                    .unwrap_or(usize::MAX),
            },
            log: Log {
                format: reader
                    .choice("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])
                    .unwrap_or(LogFormat::Text),
                level: log_level(reader),
            },
            worker: Worker {
                concurrency: u32::try_from(reader.number("worker.concurrency", 1..=100_000)).unwrap_or(1),
                drain: reader.seconds("worker.drain_seconds", 0..=DAY),
                max_once_timeout: reader.seconds("worker.max_once_timeout_seconds", 1..=DAY),
                lease_ttl: reader.seconds("worker.lease_ttl_seconds", 1..=300),
            },
            database: Database::read(reader),
            rabbitmq: Helper::read(reader, "rabbitmq"),
            redis: Redis::read(reader),
            cluster: Cluster::read(reader),
            scheduler: Scheduler::read(reader),
            blobs_dir: reader.text("blobs.directory").map(PathBuf::from),
            models: Models {
                connect_timeout: reader.seconds("models.connect_timeout_seconds", 1..=300),
                first_token_timeout: reader.seconds("models.first_token_timeout_seconds", 1..=DAY),
                timeout: reader.seconds("models.timeout_seconds", 1..=DAY),
                max_attempts: u32::try_from(reader.number("models.max_attempts", 1..=100)).unwrap_or(1),
                default: reader.text("models.default"),
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
