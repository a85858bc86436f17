//! A server process: started, killed, frozen, started again.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to answer, or to be gone: generous, since the machine of a test may be busy.
const WITHIN: Duration = Duration::from_secs(60);

/// What is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// For messages; its log is named for it.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment besides `PATH`.
    pub env: Vec<(String, String)>,
    /// Where it runs and where its log lies.
    pub dir: PathBuf,
    /// The user whom it runs as, where that is not the caller.
    pub user: Option<&'static str>,
}

impl Program {
    /// A program with arguments, in a directory.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, dir: &Path) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            args: Vec::new(),
            env: vec![("HOME".to_owned(), dir.display().to_string())],
            dir: dir.to_owned(),
            user: None,
        }
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: Into<String>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the environment.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Runs it as another user.
    pub fn user(mut self, user: Option<&'static str>) -> Self {
        self.user = user;
        self
    }

    /// Runs it to its end.
    pub fn run(&self) -> anyhow::Result<()> {
        let output = self.command().output().with_context(|| self.hint())?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{} ended with {}:\n{said}", self.name, output.status);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut words: Vec<&str> = Vec::new();
        if let Some(user) = self.user {
            words.extend(["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"]);
        }
        // After the change of user, which would clear it: the kernel kills the server when the test process ends.
        if has_setpriv() {
            words.extend(["setpriv", "--pdeathsig", "KILL", "--"]);
        }
        let path = self.path.to_string_lossy();
        words.push(&path);
        words.extend(self.args.iter().map(String::as_str));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().current_dir(&self.dir).stdin(Stdio::null()).process_group(0);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn hint(&self) -> String {
        format!("{} cannot be started from {}: `./test install` installs it", self.name, self.path.display())
    }
}

/// Whether util-linux's `setpriv` is there. Without it servers outlive a test process that is killed.
fn has_setpriv() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let tried =
            Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    })
}

type Spawned = std::io::Result<Child>;
type Job = (Command, mpsc::Sender<Spawned>);

/// Spawns on a thread that lives as long as the process: the kernel sends a parent's death signal when the *thread*
/// that spawned has ended, and a test's thread ends with the test.
fn spawn(command: Command) -> anyhow::Result<Spawned> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(jobs)
    });
    let (answer, spawned) = mpsc::channel();
    spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer))?;
    Ok(spawned.recv()?)
}

/// A server process with all that it has started. Killed when this is dropped.
pub struct Process {
    program: Program,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Describes a process; it does not run yet.
    pub fn new(program: Program) -> Self {
        Self { program, child: Mutex::new(None) }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it without waiting for an answer.
    pub fn spawn(&self) -> anyhow::Result<()> {
        let mut child = self.child();
        anyhow::ensure!(child.is_none(), "{} runs already", self.program.name);
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = self.program.command();
        command.stdout(log.try_clone()?).stderr(log);
        *child = Some(spawn(command)?.with_context(|| self.program.hint())?);
        Ok(())
    }

    /// Waits until `probe` succeeds. An error with the end of the log if the process ends before.
    pub async fn ready(&self, probe: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let Err(error) = probe().await else { return Ok(()) };
            let name = &self.program.name;
            if let Some(status) = self.ended()? {
                anyhow::bail!("{name} ended with {status} before it answered:\n{}", self.log_tail());
            }
            if began.elapsed() > WITHIN {
                anyhow::bail!("{name} did not answer in {WITHIN:?} ({error:#}):\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// It and its descendants, parents first.
    pub fn pids(&self) -> Vec<u32> {
        self.pid().map(tree).unwrap_or_default()
    }

    /// `kill -9` to it and its descendants, and waits until they are gone. An error if it does not run: a crash of its
    /// own is not a test.
    pub fn kill_9(&self) -> anyhow::Result<()> {
        let ended = self.ended()?;
        let mut child = self.child().take().with_context(|| format!("{} does not run", self.program.name))?;
        if let Some(status) = ended {
            anyhow::bail!("{} had ended by itself with {status}:\n{}", self.program.name, self.log_tail());
        }
        let pids = tree(child.id());
        child.kill()?;
        pids.iter().skip(1).for_each(|pid| signal(*pid, Signal::KILL));
        child.wait()?;
        let began = Instant::now();
        while pids.iter().any(|pid| runs(*pid)) {
            anyhow::ensure!(began.elapsed() < WITHIN, "{} cannot be killed", self.program.name);
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// SIGTERM, and waits until it has ended by itself. An error if it ends otherwise than with success, or not in time:
    /// then it is killed.
    pub async fn terminate(&self, within: Duration) -> anyhow::Result<()> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.program.name))?;
        signal(pid, Signal::TERM);
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                self.child().take();
                let name = &self.program.name;
                anyhow::ensure!(status.success(), "{name} ended with {status}:\n{}", self.log_tail());
                return Ok(());
            }
            if began.elapsed() > within {
                self.kill_9()?;
                let name = &self.program.name;
                anyhow::bail!("{name} had not ended {within:?} after SIGTERM:\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGSTOP to it and its descendants.
    pub fn freeze(&self) {
        self.pids().iter().for_each(|pid| signal(*pid, Signal::STOP));
    }

    /// SIGCONT to it and its descendants.
    pub fn thaw(&self) {
        self.pids().iter().for_each(|pid| signal(*pid, Signal::CONT));
    }

    fn ended(&self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child().as_mut().map(Child::try_wait).transpose()?.flatten())
    }

    fn log_path(&self) -> PathBuf {
        self.program.dir.join(format!("{}.log", self.program.name))
    }

    /// The end of what it printed, for messages about failures.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it does not run.
        let _ = self.kill_9();
    }
}

/// A process that has gone meanwhile is no fault.
/// SIGKILL to a process that somebody else has started.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A process and its descendants, parents first. PostgreSQL's have sessions of their own, so its process group would
/// not do.
fn tree(root: u32) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, (_, parent))) = pid.and_then(|pid| Some((pid, stat(pid)?))) {
            parents.push((pid, parent));
        }
    }
    let mut pids = vec![root];
    let mut next = 0;
    while let Some(&parent) = pids.get(next) {
        pids.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    pids
}

/// State and parent of a process. The name before them stands in brackets and may hold anything.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process exists that is not merely waiting to be reaped.
fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}
