//! The right to advance tasks, as its holder sees it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agenticai_store::{Beat, Store, WorkerId};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::quiet::warn_seldom;
use crate::watch::allowed_without_session;

/// Between two beats.
pub const BEAT: Duration = Duration::from_millis(500);

/// One incarnation's lease.
#[derive(Debug)]
pub struct Lease {
    /// The incarnation.
    pub worker: WorkerId,
    /// Cancelled once the store has said that the incarnation is dead.
    pub dead: CancellationToken,
    /// Set where it is dead because the store was restored to an earlier point: how that was noticed and what to do.
    pub went_back: OnceLock<String>,
    ttl: Duration,
    /// When the last beat that was answered had been sent.
    acknowledged: Mutex<Instant>,
}

impl Lease {
    /// A lease that begins now.
    pub fn new(worker: WorkerId, ttl: Duration) -> Self {
        let (dead, went_back) = (CancellationToken::new(), OnceLock::new());
        Self { worker, dead, went_back, ttl, acknowledged: Mutex::new(Instant::now()) }
    }

    /// Whether something with an effect may be sent: as long as nobody can have declared this worker dead, whatever has
    /// become of its session. It counts from the *sending* of the last acknowledged beat, so that an answer that was long
    /// under way does not prolong the lease. A loss stops new effects only: what is finished is still offered to the
    /// store, and the epoch decides.
    pub fn may_send(&self) -> bool {
        let acknowledged = *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        !self.dead.is_cancelled() && acknowledged.elapsed() < allowed_without_session(self.ttl)
    }

    fn acknowledge(&self, sent: Instant) {
        *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner) = sent;
    }
}

/// Moved by the runtime that advances tasks: a heart must not go on beating for a runtime that stands still.
#[derive(Debug, Default)]
pub struct Pulse(AtomicU64);

impl Pulse {
    /// Ticks until cancelled.
    pub async fn tick(self: Arc<Self>, stop: CancellationToken) {
        let mut every = tokio::time::interval(Duration::from_millis(100));
        while stop.run_until_cancelled(every.tick()).await.is_some() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Starts the heartbeat in a thread with a runtime of its own: however busy the others are, it gets its turn from
/// the operating system. Ends when `stop` is cancelled or the lease is dead.
pub fn start_heartbeat(
    store: Arc<dyn Store>,
    lease: Arc<Lease>,
    clock: Arc<Clock>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let beats = async move {
        let mut every = tokio::time::interval(BEAT);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut seen, mut since) = (0, Instant::now());
        let warned = AtomicBool::new(false);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = lease.dead.cancelled() => return,
                _ = every.tick() => {}
            }
            let pulse = pulse.0.load(Ordering::Relaxed);
            if pulse != seen {
                (seen, since) = (pulse, Instant::now());
            } else if since.elapsed() > lease.ttl {
                if !warned.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "the runtime stands still: no more heartbeats, others may take the tasks over"
                    );
                }
                continue;
            }
            let sent = Instant::now();
            match tokio::time::timeout(lease.ttl, store.beat(lease.worker)).await {
                Ok(Ok(Beat::Alive { now })) => {
                    lease.acknowledge(sent);
                    clock.set(now);
                    warned.store(false, Ordering::Relaxed);
                }
                Ok(Ok(Beat::Dead)) => {
                    tracing::warn!(
                        worker = lease.worker.0,
                        "this worker was declared dead; it registers anew"
                    );
                    lease.dead.cancel();
                }
                Ok(Ok(Beat::WentBack { why })) => {
                    tracing::error!(%why, "the database was restored to an earlier point; this worker stops");
                    // Told once: the loop ends here.
                    let _ = lease.went_back.set(why);
                    lease.dead.cancel();
                }
                Ok(Err(error)) => warn_seldom!(%error, "a heartbeat failed"),
                Err(_) => warn_seldom!("a heartbeat had no answer"),
            }
        }
    };
    std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || runtime.block_on(beats))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_is_sent_that_somebody_else_may_already_have_taken_over() {
        let ttl = Duration::from_secs(300);
        let (lease, now) = (Lease::new(WorkerId(1), ttl), Instant::now());
        lease.acknowledge(now);
        assert!(lease.may_send());
        lease.acknowledge(now.checked_sub(allowed_without_session(ttl)).unwrap());
        assert!(!lease.may_send(), "its session may have ended, and it been declared dead");
        lease.acknowledge(now);
        lease.dead.cancel();
        assert!(!lease.may_send());
    }
}
