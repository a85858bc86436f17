//! A TCP proxy that a test puts between two parts, to cut them off from each other.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::http::free_port;

/// What becomes of what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    Stall,
    Refuse,
}

/// Forwards connections to a port of this machine. Dropped, it ends them all.
pub struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    /// Counts the cuts: a connection ends when it changes.
    cuts: watch::Sender<u64>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 for what goes to `target`.
    pub async fn start(target: u16) -> anyhow::Result<Self> {
        let port = free_port()?;
        let listener = listen(port).await?;
        let (mode, cuts) = (watch::Sender::new(Mode::Forward), watch::Sender::new(0));
        let accepting =
            tokio::spawn(accept(listener, target, mode.subscribe(), cuts.subscribe())).abort_handle();
        Ok(Self { port, mode, cuts, accepting })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections; new ones are made as before.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends all connections and refuses new ones, as a machine does whose server is down.
    pub fn refuse(&self) {
        self.mode.send_replace(Mode::Refuse);
        self.cut();
    }

    /// Forwards nothing and ends nothing, as a network does that loses every packet. New connections are accepted and
    /// hear nothing. What was sent meanwhile arrives after [`Self::resume`].
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Forwards again.
    pub fn resume(&self) {
        self.mode.send_replace(Mode::Forward);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A restarted listener takes its port back at once; another's connection may hold it for a moment.
async fn listen(port: u16) -> io::Result<TcpListener> {
    for _ in 0..50 {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    TcpListener::bind(("127.0.0.1", port)).await
}

async fn accept(
    listener: TcpListener,
    target: u16,
    mut mode: watch::Receiver<Mode>,
    cuts: watch::Receiver<u64>,
) {
    let (port, mut open) = (listener.local_addr().map_or(0, |address| address.port()), Some(listener));
    loop {
        let refusing = *mode.borrow_and_update() == Mode::Refuse;
        match (&open, refusing) {
            (Some(_), true) => open = None,
            (None, false) => match listen(port).await {
                Ok(listener) => open = Some(listener),
                Err(error) => return eprintln!("proxy: port {port} cannot be listened on again: {error}"),
            },
            _ => {}
        }
        let accepted = async {
            match &open {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((client, _)) = accepted {
                tokio::spawn(connection(client, target, mode.clone(), cuts.clone()));
            },
        }
    }
}

async fn connection(
    client: TcpStream,
    target: u16,
    mut mode: watch::Receiver<Mode>,
    mut cuts: watch::Receiver<u64>,
) {
    cuts.mark_unchanged();
    let forward = async {
        flowing(&mut mode).await;
        let server = TcpStream::connect(("127.0.0.1", target)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::try_join!(pump(from_client, to_server, mode.clone()), pump(from_server, to_client, mode))
            .map(drop)
    };
    tokio::select! {
        _ = cuts.changed() => {}
        _ = forward => {}
    }
}

/// Waits while nothing passes.
async fn flowing(mode: &mut watch::Receiver<Mode>) {
    let _ = mode.wait_for(|mode| *mode != Mode::Stall).await;
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        // Even the end of a stream is no news while everything is lost.
        flowing(&mut mode).await;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
