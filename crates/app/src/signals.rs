//! SIGTERM and Ctrl-C.

use tokio_util::sync::CancellationToken;

/// SIGTERM and Ctrl-C, heard from the moment that this exists.
pub struct StopSignals {
    #[cfg(unix)]
    heard: Vec<tokio::signal::unix::Signal>,
}

impl StopSignals {
    /// Listens to them.
    #[cfg(unix)]
    pub fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        // One that cannot be listened to keeps its usual meaning: it ends the process, which loses nothing.
        Self { heard: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect() }
    }

    /// Listens to them.
    #[cfg(not(unix))]
    pub fn listen() -> Self {
        Self {}
    }

    /// Returns at the next one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        {
            let next = self.heard.iter_mut().map(|signal| Box::pin(signal.recv()));
            match next.collect::<Vec<_>>() {
                none if none.is_empty() => std::future::pending().await,
                some => drop(futures_util::future::select_all(some).await),
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }

    /// A token that the next one cancels: whoever stops asks it whether to hurry.
    pub fn into_hurry(mut self) -> CancellationToken {
        let hurry = CancellationToken::new();
        let heard = hurry.clone();
        tokio::spawn(async move {
            self.next().await;
            heard.cancel();
        });
        hurry
    }
}
