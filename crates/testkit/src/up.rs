//! `agenticai up` as a process: started in a directory of its own, killed without warning, started again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::api::Api;
use crate::http::{Http, free_port};
use crate::servers::process::{Process, Program};

/// The variable that names the binary under test.
pub const BIN: &str = "AGENTICAI_BIN";

/// The binary under test.
pub fn binary() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(BIN).with_context(|| {
        format!("{BIN} is not set: build `cargo build -p agenticai` and set it to target/debug/agenticai, or run ./test")
    })?;
    let path = PathBuf::from(path);
    anyhow::ensure!(path.is_file(), "{BIN} names {}, which is no file", path.display());
    Ok(path.canonicalize()?)
}

/// A server and its data directory. The process is killed when this is dropped; the directory stays.
pub struct Up {
    binary: PathBuf,
    dir: PathBuf,
    port: u16,
    env: Vec<(String, String)>,
    process: Process,
}

impl Up {
    /// Describes a server with its data and log in `dir`, and `env` as its environment besides `PATH` and a `HOME`
    /// in `dir`: no key and no file of the person who runs the test reaches it.
    pub fn new(dir: &Path, env: &[(&str, String)]) -> anyhow::Result<Self> {
        let (binary, port, home) = (binary()?, free_port()?, dir.join("home"));
        std::fs::create_dir_all(&home)?;
        let mut all = vec![("HOME".to_owned(), home.display().to_string())];
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let data = dir.join("data").display().to_string();
        let mut program =
            Program::new("up", &binary, dir).args(["up", "--port", &port.to_string(), "--data-dir", &data]);
        program.env.clone_from(&all);
        Ok(Self { binary, dir: dir.to_owned(), port, env: all, process: Process::new(program) })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// A command of the binary, in the server's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).env_clear().current_dir(&self.dir);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AGENTICAI_URL", self.url()).env("AGENTICAI_DATA_DIR", self.data_dir());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the process without waiting for it.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        self.process.spawn()
    }

    /// Starts the process and waits until it is ready; answers how long that took.
    pub async fn start(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.spawn()?;
        let (http, url) = (Http::default(), format!("{}/health/ready", self.url()));
        let ready = self.process.ready(async || http.expect_ready(&url).await).await;
        if ready.is_err() {
            // What has ended by itself is forgotten, so that it can be started again.
            let _ = self.process.kill_9();
        }
        ready?;
        Ok(started.elapsed())
    }

    /// A client with the key that the server has put into its data directory.
    pub fn api(&self) -> anyhow::Result<Api> {
        let path = self.data_dir().join("api-key");
        let key = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Api::new(self.url(), key.trim()))
    }

    /// `kill -9`, and waits until the process is gone. An error if it had ended by itself: a crash is not a test.
    pub fn kill_9(&mut self) -> anyhow::Result<()> {
        self.process.kill_9()
    }

    /// SIGTERM, and waits until the process has ended by itself.
    pub async fn terminate(&mut self, within: Duration) -> anyhow::Result<()> {
        self.process.terminate(within).await
    }

    /// The end of what it printed, for messages about failures.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}
