//! The stub: an OpenAI- and Anthropic-compatible model and three HTTP tools, deterministic, fast, and honest about
//! what was asked of it.
//!
//! | route | what it is |
//! | --- | --- |
//! | `POST /v1/chat/completions` | OpenAI, plain and `stream: true` |
//! | `POST /v1/messages` | Anthropic, plain and `stream: true` |
//! | `GET /v1/models` | one model, `stub` |
//! | `GET /tool/lookup?q=` | a tool that only reads |
//! | `POST /tool/note` | a tool that may be repeated |
//! | `POST /tool/charge` | a tool that must not be |
//! | `GET /stats` | counters; calls repeated for the same run tag and state of the conversation are duplicates |
//! | `POST /reset?latency_ms=&tool_latency_ms=&steps=` | zeroes the counters, optionally changes latencies or steps |
//!
//! Without a [`script`] in the first user message, a request with `n` tool results in its messages is answered with a
//! `lookup` call while `n < steps`, and with a text from then on. The run tag is the header `x-agenticai-task` or
//! `x-run-tag`, else `run_tag:<id>` in the first user message (for a tool: a `run_tag=` query parameter).

mod answer;
mod anthropic;
mod conversation;
mod frames;
pub mod log;
mod models;
mod openai;
mod routes;
pub mod script;
mod stats;
mod tools;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use stats::Stats;

pub use stats::Repeated;

/// How a stub behaves.
#[derive(Debug, Clone)]
pub struct StubConfig {
    /// Its port on 127.0.0.1; 0: any free one.
    pub port: u16,
    /// Milliseconds before a model answers.
    pub latency_ms: u64,
    /// Milliseconds before a tool answers.
    pub tool_latency_ms: u64,
    /// Tool calls before the final text, where no script says otherwise.
    pub steps: u64,
    /// Length of texts and tool results.
    pub payload_bytes: usize,
    /// Threads that serve.
    pub threads: usize,
    /// Where every call's begin and end go.
    pub log: Option<PathBuf>,
}

impl Default for StubConfig {
    fn default() -> Self {
        Self {
            port: 0,
            latency_ms: 0,
            tool_latency_ms: 0,
            steps: 4,
            payload_bytes: 256,
            threads: 1,
            log: None,
        }
    }
}

/// What all connections share.
struct Shared {
    latency_ms: AtomicU64,
    tool_latency_ms: AtomicU64,
    steps: AtomicU64,
    text: String,
    log: Option<log::Log>,
    stats: Stats,
    /// Calls that were cut off once on their script's demand; the next one with the same key is served.
    cut: Mutex<HashSet<String>>,
}

/// A running stub; it stops when dropped.
pub struct Stub {
    port: u16,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Stub {
    /// Starts one in threads of its own, so that it answers also while the caller blocks.
    pub fn start(config: &StubConfig) -> anyhow::Result<Self> {
        let text = "lorem ipsum dolor sit amet "
            .bytes()
            .cycle()
            .take(config.payload_bytes)
            .map(char::from)
            .collect();
        let shared = Arc::new(Shared {
            latency_ms: AtomicU64::new(config.latency_ms),
            tool_latency_ms: AtomicU64::new(config.tool_latency_ms),
            steps: AtomicU64::new(config.steps),
            text,
            log: config.log.as_deref().map(log::Log::create).transpose()?,
            stats: Stats::default(),
            cut: Mutex::default(),
        });
        let (config, served) = (config.clone(), shared.clone());
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        // The runtime lives and ends in a thread of its own: the caller's may be asynchronous itself.
        let thread = std::thread::Builder::new().name("stub".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(config.threads)
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(why) => return drop(tell.send(Err(why.into()))),
            };
            runtime.block_on(async move {
                let listener = match listen(config.port) {
                    Ok(listener) => listener,
                    Err(why) => return drop(tell.send(Err(why))),
                };
                let _ = tell.send(listener.local_addr().map_err(Into::into));
                tokio::select! {
                    () = routes::serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        let port = told.recv().context("the stub's thread has ended")??.port();
        Ok(Self { port, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Calls that have begun and not ended, of models and tools.
    pub fn in_flight(&self) -> u64 {
        self.shared.stats.in_flight()
    }

    /// Model calls that have begun since the counters were zeroed, repeated ones too.
    pub fn model_calls(&self) -> u64 {
        self.shared.stats.llm_calls.load(Relaxed)
    }

    /// What was repeated since then.
    pub fn repeated(&self) -> Repeated {
        self.shared.stats.repeated()
    }

    /// Calls without a run tag. A run that has any proves nothing.
    pub fn untagged(&self) -> u64 {
        self.shared.stats.untagged.load(Relaxed)
    }

    /// Zeroes the counters and sets the latencies in milliseconds and the number of tool calls.
    pub fn reset(&self, latency_ms: u64, tool_latency_ms: u64, steps: u64) {
        self.shared.stats.reset();
        self.shared.latency_ms.store(latency_ms, Relaxed);
        self.shared.tool_latency_ms.store(tool_latency_ms, Relaxed);
        self.shared.steps.store(steps, Relaxed);
    }

    /// Whether a tool was performed for this idempotency key: what a person finds out who looks at the other side.
    pub fn performed(&self, key: &str) -> bool {
        self.shared.stats.performed(key)
    }

    /// Returns once every line written so far is in the log file.
    pub fn sync_log(&self) -> anyhow::Result<()> {
        self.shared.log.as_ref().map_or(Ok(()), log::Log::sync)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into()).with_context(|| format!("port {port} for the stub"))?;
    Ok(socket.listen(8192)?)
}
