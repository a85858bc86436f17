//! The stub's log: two JSON lines a call, `begin` and `end`, or `gone` where the client went away before the answer.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::SystemTime;

use anyhow::Context as _;
use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Number of the call; its lines share it.
    pub call: u64,
    /// `begin`, `end` or `gone`.
    pub event: String,
    /// Microseconds since 1970.
    pub at_us: u64,
    /// `llm`, `lookup`, `note` or `charge`.
    pub what: String,
    /// The run tag: the task.
    pub tag: Option<String>,
    /// For a model call the number of tool results in its messages, for a tool its arguments.
    pub n: String,
    /// The header `idempotency-key`.
    pub key: Option<String>,
    /// The header `x-agenticai-step`.
    pub step: Option<String>,
    /// The header `x-agenticai-attempt`.
    pub attempt: Option<String>,
    /// The header `x-agenticai-epoch`.
    pub epoch: Option<String>,
}

enum Message {
    Line(String),
    Sync(mpsc::Sender<()>),
}

/// Writes lines in a thread of its own and flushes whenever none is waiting, so that a reader who comes right after
/// a call finds it.
pub struct Log {
    to: mpsc::Sender<Message>,
    numbers: AtomicU64,
}

impl Log {
    /// Creates or empties the file.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::create(path).with_context(|| format!("log {}", path.display()))?;
        let mut file = std::io::BufWriter::new(file);
        let (to, messages) = mpsc::channel();
        std::thread::Builder::new().name("stub-log".into()).spawn(move || {
            while let Ok(first) = messages.recv() {
                let mut next = Some(first);
                let mut waiting = Vec::new();
                while let Some(message) = next {
                    match message {
                        Message::Line(line) => drop(writeln!(file, "{line}")),
                        Message::Sync(done) => waiting.push(done),
                    }
                    next = messages.try_recv().ok();
                }
                let _ = file.flush();
                for done in waiting {
                    let _ = done.send(());
                }
            }
        })?;
        Ok(Self { to, numbers: AtomicU64::new(0) })
    }

    /// Returns once everything written so far is in the file.
    pub fn sync(&self) -> anyhow::Result<()> {
        let (done, wait) = mpsc::channel();
        self.to.send(Message::Sync(done)).ok().context("the log's thread has ended")?;
        wait.recv().context("the log's thread has ended")
    }

    /// Writes a call's `begin`; [`Logged::done`] writes its `end`, dropping it without that its `gone`.
    pub(super) fn begin(&self, what: &str, tag: Option<&str>, n: &str, headers: &HeaderMap) -> Logged<'_> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let line = LogLine {
            call: self.numbers.fetch_add(1, Relaxed),
            event: "begin".into(),
            at_us: 0,
            what: what.into(),
            tag: tag.map(str::to_owned),
            n: n.into(),
            key: header("idempotency-key"),
            step: header("x-agenticai-step"),
            attempt: header("x-agenticai-attempt"),
            epoch: header("x-agenticai-epoch"),
        };
        let mut logged = Logged { log: self, line };
        logged.write();
        logged
    }
}

/// A call that has begun.
pub(super) struct Logged<'a> {
    log: &'a Log,
    line: LogLine,
}

impl Logged<'_> {
    /// The call is answered.
    pub fn done(mut self) {
        self.line.event = "end".into();
    }

    fn write(&mut self) {
        self.line.at_us = now_us();
        if let Ok(text) = serde_json::to_string(&self.line) {
            let _ = self.log.to.send(Message::Line(text));
        }
    }
}

impl Drop for Logged<'_> {
    fn drop(&mut self) {
        if self.line.event == "begin" {
            self.line.event = "gone".into();
        }
        self.write();
    }
}

/// Microseconds since 1970.
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}
