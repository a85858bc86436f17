//! A connection to a server that comes and goes: connecting again, saying so once, counting.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

/// Why a connection could not be made, or ended. Its text tells an operator where to look and holds no password.
pub type ConnectError = Box<dyn std::error::Error + Send + Sync>;

/// The pause before the second try; it doubles until the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A connection that lasted less than this does not make the next pause short again.
const LASTED: Duration = Duration::from_secs(1);

/// After a warning there is none for this long: a server that accepts connections and ends them at once must not fill
/// the log.
const QUIET: Duration = Duration::from_secs(30);

/// How long a server may take to answer before it counts as gone: one that is frozen ends no connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How often an idle connection is tried.
pub(crate) const PROBE: Duration = Duration::from_secs(5);

/// What has passed between this process and one server. Counters only rise.
#[derive(Debug)]
pub struct LinkStats {
    /// The server: `rabbitmq`, `postgres`, `redis`.
    pub server: &'static str,
    /// Whether there is a connection now.
    pub connected: AtomicBool,
    /// Connections made, the first included.
    pub connects: AtomicU64,
    /// Messages with hints that were sent.
    pub hints_sent: AtomicU64,
    /// Messages with hints that arrived.
    pub hints_received: AtomicU64,
    /// Other messages that were sent.
    pub sent: AtomicU64,
    /// Other messages that came from others.
    pub received: AtomicU64,
    /// Events, pokes and dead letters that found no room or no connection.
    pub dropped: AtomicU64,
    /// Messages that could not be understood.
    pub ignored: AtomicU64,
}

impl LinkStats {
    fn new(server: &'static str) -> Self {
        Self {
            server,
            connected: AtomicBool::new(false),
            connects: AtomicU64::new(0),
            hints_sent: AtomicU64::new(0),
            hints_received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            ignored: AtomicU64::new(0),
        }
    }
}

/// Adds one to a counter.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Adds to a counter.
pub(crate) fn count_many(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// The state of a connection, as its session reports it.
pub(crate) struct Link {
    /// What to say of an outage: what goes on without the server.
    without: &'static str,
    /// Whether an outage was warned of that has not ended.
    away: AtomicBool,
    pub(crate) stats: Arc<LinkStats>,
}

impl Link {
    pub(crate) fn new(server: &'static str, without: &'static str) -> Self {
        Self { without, away: AtomicBool::new(false), stats: Arc::new(LinkStats::new(server)) }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.stats.connected.load(Ordering::Relaxed)
    }

    /// Says that a connection is made and set up.
    pub(crate) fn up(&self) {
        let first = self.stats.connects.fetch_add(1, Ordering::Relaxed) == 0;
        self.stats.connected.store(true, Ordering::Relaxed);
        let (away, server) = (self.away.swap(false, Ordering::Relaxed), self.stats.server);
        match (first, away) {
            (true, _) => tracing::info!(server, "the server is connected"),
            (false, true) => tracing::info!(server, "the server is connected again"),
            (false, false) => tracing::debug!(server, "the server is connected again"),
        }
    }
}

/// One kind of connection.
#[async_trait]
pub(crate) trait Session: Send + Sync {
    fn link(&self) -> &Link;
    /// Connects, says [`Link::up`], and serves until that ends.
    async fn serve(&self) -> Result<Infallible, ConnectError>;
}

/// Serves one connection after another, for ever, with a pause of `longest` at most between two tries.
pub(crate) async fn keep_connected(session: Arc<dyn Session>, longest: Duration) {
    let (mut pause, mut quiet_until) = (FIRST_PAUSE, Instant::now());
    loop {
        let began = Instant::now();
        let Err(error) = session.serve().await;
        let (link, now) = (session.link(), Instant::now());
        if link.stats.connected.swap(false, Ordering::Relaxed) && now - began > LASTED {
            pause = FIRST_PAUSE;
        }
        let (server, without) = (link.stats.server, link.without);
        if now >= quiet_until && !link.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(server, %error, "the server cannot be reached, {without}; trying again");
            quiet_until = now + QUIET;
        } else {
            tracing::debug!(server, %error, "the server cannot be reached");
        }
        // Processes that lost one server together do not come back together.
        tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        pause = (pause * 2).min(longest);
    }
}

/// Awaits an answer of a server, for a bounded time.
pub(crate) async fn answer<T, E: Into<ConnectError>>(
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, ConnectError> {
    match tokio::time::timeout(ANSWER_WITHIN, future).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(format!("no answer within {ANSWER_WITHIN:?}").into()),
    }
}
