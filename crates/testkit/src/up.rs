//! `agenticai up` as a process: started in a directory of its own, killed without warning, started again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::api::Api;
use crate::http::{Http, free_port};

/// The variable that names the binary under test.
pub const BIN: &str = "AGENTICAI_BIN";

/// How long a start may take before it counts as failed: generous, since a debug build on a busy machine is slow.
const READY_WITHIN: Duration = Duration::from_secs(60);

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
    child: Option<Child>,
}

impl Up {
    /// Describes a server with its data and log in `dir`, and `env` as its environment besides `PATH` and a `HOME`
    /// in `dir`: no key and no file of the person who runs the test reaches it.
    pub fn new(dir: &Path, env: &[(&str, String)]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir.join("home"))?;
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Ok(Self { binary: binary()?, dir: dir.to_owned(), port: free_port()?, env, child: None })
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
        self.child.as_ref().map(Child::id)
    }

    /// Any subcommand of the binary, in the server's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).env_clear().current_dir(&self.dir).env("HOME", self.dir.join("home"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AGENTICAI_URL", self.url()).env("AGENTICAI_DATA_DIR", self.data_dir());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the process without waiting for it.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.child.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let data_dir = self.data_dir();
        let args = ["up", "--port", &self.port.to_string(), "--data-dir", &data_dir.to_string_lossy()];
        let mut command = self.command(&args);
        command.env_remove("AGENTICAI_URL").env_remove("AGENTICAI_DATA_DIR");
        command.stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().with_context(|| format!("starting {}", self.binary.display()))?);
        Ok(())
    }

    /// Starts the process and waits until it is ready; answers how long that took.
    pub async fn start(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.spawn()?;
        let http = Http::default();
        let ready = format!("{}/health/ready", self.url());
        loop {
            let answer = http.send("GET", &ready, &[], "").await;
            if answer.is_ok_and(|answer| answer.status.is_success()) {
                return Ok(started.elapsed());
            }
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                self.child = None;
                anyhow::bail!("it ended with {status} before it was ready:\n{}", self.log_tail());
            }
            anyhow::ensure!(started.elapsed() < READY_WITHIN, "not ready in time:\n{}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// A client with the key that the server has put into its data directory.
    pub fn api(&self) -> anyhow::Result<Api> {
        let path = self.data_dir().join("api-key");
        let key = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Api::new(self.url(), key.trim()))
    }

    /// `kill -9`, and waits until the process is gone. An error if it had ended by itself: a crash is not a test.
    pub fn kill_9(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("it had ended by itself with {status}:\n{}", self.log_tail());
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits until the process has ended by itself.
    pub async fn terminate(&mut self, within: Duration) -> anyhow::Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        anyhow::ensure!(sent.success(), "kill -TERM failed");
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                anyhow::ensure!(status.success(), "it ended with {status}:\n{}", self.log_tail());
                return Ok(());
            }
            if started.elapsed() > within {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("it had not ended {within:?} after SIGTERM:\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("up.log")
    }

    /// The end of what it printed, for messages about failures.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(self.log_path()).unwrap_or_default();
        let from = text.len().saturating_sub(4000);
        String::from_utf8_lossy(&text[from..]).into_owned()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
