//! A user of their own for each test: a home directory, a port, and nothing else in the environment.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Generous, since a debug build on a busy machine is slow.
const SOON: Duration = Duration::from_secs(60);

/// A user.
pub struct Home {
    dir: tempfile::TempDir,
    port: u16,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), port: free_port() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join(".local/share/agenticai")
    }

    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub fn key(&self) -> String {
        std::fs::read_to_string(self.data().join("api-key")).unwrap().trim().to_owned()
    }

    /// Writes a file and answers its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agenticai"));
        command.args(args).current_dir(self.path()).env_clear().env("HOME", self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // The configured port is the user's own, and no model of this machine is looked for.
        command
            .env("AGENTICAI_SERVER_PORT", self.port.to_string())
            .env("AGENTICAI_MODELS_DEFAULT", "practice");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Printed {
        Printed::of(self.command(args).output().unwrap())
    }

    /// Runs a command that must succeed, and answers what it printed on standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let printed = self.run(args);
        assert_eq!(printed.code, 0, "{args:?}: {printed:?}");
        printed.out
    }

    /// The one JSON document that a command prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        let out = self.ok(&args);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }

    /// Starts a server and waits until it serves.
    pub fn up(&self) -> Process {
        let child = self.command(&["up"]).stdout(Stdio::null()).spawn().unwrap();
        let process = Process(child);
        self.wait_for("the server", || self.run(&["agent", "list"]).code == 0);
        process
    }

    /// Tries until it succeeds.
    pub fn wait_for(&self, what: &str, mut done: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < SOON, "{what} did not come");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Printed {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A process that is killed when the test ends, however that is.
pub struct Process(pub Child);

impl Process {
    /// `kill -9`.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; answers the exit code and standard error.
    pub fn end(&mut self) -> (i32, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < SOON, "it did not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut err = String::new();
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_string(&mut err).unwrap();
        }
        (status.code().unwrap_or(-1), err)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
