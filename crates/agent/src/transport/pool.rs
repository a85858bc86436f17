//! Connections that wait for their next request.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::uri::Authority;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Kept connections by where they lead.
pub(super) struct Pool {
    /// How long one is kept.
    idle: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_authority: HashMap<Authority, Vec<Idle>>,
    /// Whether somebody looks for those that were kept too long.
    watched: bool,
}

struct Idle {
    stream: TcpStream,
    since: Instant,
}

impl Pool {
    pub fn new(idle: Duration) -> Arc<Self> {
        Arc::new(Self { idle, kept: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to `authority`, the one that was used last: so those that are not needed grow old.
    pub fn take(&self, authority: &Authority) -> Option<TcpStream> {
        loop {
            let Idle { stream, since } = self.kept().by_authority.get_mut(authority)?.pop()?;
            if since.elapsed() < self.idle && is_open(&stream) {
                return Some(stream);
            }
        }
    }

    /// Keeps a connection to `authority`, on which nothing is under way.
    pub fn keep(self: &Arc<Self>, authority: Authority, stream: TcpStream) {
        let idle = Idle { stream, since: Instant::now() };
        let mut kept = self.kept();
        match kept.by_authority.get_mut(&authority) {
            Some(connections) => connections.push(idle),
            None => drop(kept.by_authority.insert(authority, vec![idle])),
        }
        if !std::mem::replace(&mut kept.watched, true) {
            tokio::spawn(close_old(Arc::downgrade(self), self.idle));
        }
    }

    /// Closes what was kept too long; whether anything is left.
    fn sweep(&self) -> bool {
        let mut kept = self.kept();
        kept.by_authority.retain(|_, connections| {
            connections.retain(|connection| connection.since.elapsed() < self.idle);
            !connections.is_empty()
        });
        kept.watched = !kept.by_authority.is_empty();
        kept.watched
    }
}

/// Looks for old connections as long as there are any.
async fn close_old(pool: Weak<Pool>, idle: Duration) {
    loop {
        tokio::time::sleep(idle / 2).await;
        if !pool.upgrade().is_some_and(|pool| pool.sweep()) {
            return;
        }
    }
}

/// Whether the server has neither closed a connection nor sent what nobody asked for, as far as is known by now.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}
