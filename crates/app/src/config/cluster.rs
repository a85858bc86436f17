//! Settings of processes that share a database: `[database]`, `[blobs]`, `[rabbitmq]`, `[redis]`, `[cluster]`,
//! `[scheduler]`.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Where it is. Absent: the variables of PostgreSQL's own programs say it.
    pub url: Option<String>,
    /// For `migrate`, if it is another.
    pub migrate_url: Option<String>,
    /// For `api`, if it is another.
    pub api_url: Option<String>,
    /// For `worker`, if it is another.
    pub worker_url: Option<String>,
    /// For `scheduler`, if it is another.
    pub scheduler_url: Option<String>,
    /// A file with the password, read for every connection.
    pub password_file: Option<PathBuf>,
    /// A command that prints the password, run for every connection.
    pub password_command: Option<String>,
    /// Connections to create tasks, to append, for everything else that writes, to read.
    pub connections: [usize; 4],
    /// Bound on the wait for a free connection.
    pub acquire_timeout: Duration,
    /// Bound on connecting, for each server.
    pub connect_timeout: Duration,
    /// Bound on a statement.
    pub statement_timeout: Duration,
    /// Statements without names, for a pooler.
    pub unnamed_statements: bool,
}

/// What `[rabbitmq]` and `[redis]` have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    /// Where it is; absent: it is not used.
    pub url: Option<String>,
    /// A file with the password, read for every connection.
    pub password_file: Option<PathBuf>,
    /// Certificate authorities in PEM.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate in PEM.
    pub cert_file: Option<PathBuf>,
    /// The key of that.
    pub key_file: Option<PathBuf>,
}

/// `[rabbitmq]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RabbitMq {
    /// Addresses and files.
    pub server: Helper,
    /// Seconds after which a silent connection is given up.
    pub heartbeat_seconds: u16,
}

/// `[redis]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Addresses and files.
    pub server: Helper,
    /// The group that Sentinel watches, if it does.
    pub sentinel_group: Option<String>,
    /// How the master is spoken to that Sentinel names.
    pub sentinel_master: Option<String>,
    /// A file with the sentinels' own password, read for every connection.
    pub sentinel_password_file: Option<PathBuf>,
}

/// `[cluster]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Port of health and metrics.
    pub admin_port: u16,
    /// How long a missing database is waited for.
    pub startup_timeout: Duration,
    /// Pause between saying "not ready" and stopping; absent: what fits the platform.
    pub pre_stop: Option<Duration>,
    /// How long connections may take to end at a stop.
    pub close_timeout: Duration,
    /// How long the database may take to say that it is there.
    pub health_timeout: Duration,
    /// Bound on the pause between two tries to connect to RabbitMQ, Redis and the database's notifications.
    pub max_reconnect: Duration,
    /// Days that tasks of a new tenant are kept after their end.
    pub retention_days: u32,
}

/// `[scheduler]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    /// How long a task may stand still before it counts as stuck.
    pub stuck_after: Duration,
    /// How often stuck tasks are looked for.
    pub stuck_check: Duration,
    /// How often what is past its retention is removed.
    pub retention_check: Duration,
}

const DAY: u64 = 86_400;

impl Database {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let mut size = |purpose: &str| {
            let path = format!("database.{purpose}_connections");
            reader.whole(&path, 1..=1000)
        };
        let connections = [size("create"), size("append"), size("write"), size("read")];
        Self {
            url: reader.address("database.url"),
            migrate_url: reader.address("database.migrate_url"),
            api_url: reader.address("database.api_url"),
            worker_url: reader.address("database.worker_url"),
            scheduler_url: reader.address("database.scheduler_url"),
            password_file: reader.text("database.password_file").map(PathBuf::from),
            password_command: reader.text("database.password_command"),
            connections,
            acquire_timeout: reader.seconds("database.acquire_timeout_seconds", 1..=300),
            connect_timeout: reader.seconds("database.connect_timeout_seconds", 1..=300),
            statement_timeout: reader.seconds("database.statement_timeout_seconds", 1..=DAY),
            unnamed_statements: reader.flag("database.unnamed_statements"),
        }
    }
}

impl Helper {
    /// Reads a section.
    pub fn read(reader: &mut Reader<'_>, section: &str) -> Self {
        let mut file = |key: &str| reader.text(&format!("{section}.{key}")).map(PathBuf::from);
        let password_file = file("password_file");
        let (ca_file, cert_file, key_file) = (file("ca_file"), file("cert_file"), file("key_file"));
        Self { url: reader.address(&format!("{section}.url")), password_file, ca_file, cert_file, key_file }
    }
}

impl RabbitMq {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            server: Helper::read(reader, "rabbitmq"),
            heartbeat_seconds: reader.whole("rabbitmq.heartbeat_seconds", 1..=3600),
        }
    }
}

impl Redis {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            server: Helper::read(reader, "redis"),
            sentinel_group: reader.text("redis.sentinel_group"),
            sentinel_master: reader.address("redis.sentinel_master"),
            sentinel_password_file: reader.text("redis.sentinel_password_file").map(PathBuf::from),
        }
    }
}

impl Scheduler {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            stuck_after: reader.seconds("scheduler.stuck_after_seconds", 1..=30 * DAY),
            stuck_check: reader.seconds("scheduler.stuck_check_seconds", 1..=DAY),
            retention_check: reader.seconds("scheduler.retention_check_seconds", 1..=DAY),
        }
    }
}

impl Cluster {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            admin_port: reader.whole("cluster.admin_port", 0..=u64::from(u16::MAX)),
            startup_timeout: reader.seconds("cluster.startup_timeout_seconds", 0..=DAY),
            pre_stop: reader.optional_seconds("cluster.pre_stop_seconds", 0..=3600),
            close_timeout: reader.seconds("cluster.close_timeout_seconds", 0..=300),
            health_timeout: reader.seconds("cluster.health_timeout_seconds", 1..=60),
            max_reconnect: reader.seconds("cluster.max_reconnect_seconds", 1..=300),
            retention_days: reader.whole("cluster.retention_days", 1..=36_500),
        }
    }
}
