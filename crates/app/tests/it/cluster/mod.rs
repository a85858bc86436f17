//! Processes of a cluster as their operators meet them, on a real PostgreSQL.

mod administration;
mod disk;
mod health;
mod migrating;
mod restoring;
mod roles;
mod versions;
mod work;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use agenticai_testkit::servers::postgres;

use crate::home::{Home, Printed, Process, free_port};

/// An installation: a database, and a user who runs processes on it.
pub struct Cluster {
    pub home: Home,
    pub url: String,
}

/// A role that runs, and its operators' port.
pub struct Running {
    pub process: Process,
    pub admin: u16,
    /// Where it writes what it has to say.
    log: PathBuf,
}

impl Cluster {
    /// An empty database.
    pub async fn empty() -> Self {
        Self { home: Home::new(), url: postgres::database().await.unwrap().url }
    }

    /// A database with tables.
    pub async fn migrated() -> Self {
        let cluster = Self::empty().await;
        cluster.migrate();
        cluster
    }

    /// A database with tables and an owner, whose key lies in [`Self::key_file`].
    pub async fn bootstrapped() -> Self {
        let cluster = Self::empty().await;
        cluster.bootstrap();
        cluster
    }

    fn migrate(&self) {
        let printed = self.run(&["migrate", "up"]);
        assert_eq!(printed.code, 0, "{printed:?}");
    }

    /// Makes tables and an owner.
    pub fn bootstrap(&self) {
        self.migrate();
        let printed = self.run(&["admin", "bootstrap", "--key-file", &self.key_file()]);
        assert_eq!(printed.code, 0, "{printed:?}");
    }

    pub fn key_file(&self) -> String {
        self.home.path().join("owner.key").to_str().unwrap().to_owned()
    }

    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.home.command(args);
        command.env("DATABASE_URL", &self.url);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Printed {
        Printed::of(self.command(args).output().unwrap())
    }

    /// Starts a role with settings out of the environment.
    pub fn start(&self, args: &[&str], environment: &[(&str, &str)]) -> Running {
        let admin = free_port();
        let log = self.home.path().join(format!("{}-{admin}.log", args[0]));
        let mut command = self.command(args);
        command.args(["--admin-port", &admin.to_string()]).envs(environment.iter().copied());
        let file = std::fs::File::create(&log).unwrap();
        Running { process: Process(command.stderr(file).spawn().unwrap()), admin, log }
    }

    /// Starts a role and waits until it is ready.
    pub fn ready(&self, args: &[&str]) -> Running {
        let running = self.start(args, &[]);
        self.wait_ready(&running);
        running
    }

    pub fn wait_ready(&self, running: &Running) {
        self.home
            .wait_for("readiness", || running.get("/health/ready").is_some_and(|(status, _)| status == 200));
    }
}

impl Running {
    /// What the operators' port answers, if it does.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.admin, path)
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for its end; answers the exit code and what it said.
    pub fn end(&mut self) -> (i32, String) {
        let (code, _) = self.process.end();
        (code, self.log())
    }
}

/// Asks a port of this machine: status and body.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
