//! Listening, on this machine alone or for everybody, and knowing who is connected.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Listens on the loopback addresses: 127.0.0.1, and ::1 where the machine has it. Port 0 picks a free one.
pub async fn bind(port: u16) -> io::Result<(u16, Vec<TcpListener>)> {
    let four = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = four.local_addr()?.port();
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Ok(six) => Ok((port, vec![four, six])),
        // Somebody else there would be who answers to `localhost` on many machines.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok((port, vec![four])),
    }
}

/// Listens on all addresses of the machine: one socket for IPv6 and IPv4, or for IPv4 alone where there is no IPv6.
/// Port 0 picks a free one.
pub fn bind_all(port: u16) -> io::Result<(u16, TcpListener)> {
    let listener = match bind_dual(port) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    Ok((listener.local_addr()?.port(), listener))
}

/// Whether IPv4 is served too by a socket of IPv6 is a setting of the machine, unless it is said.
fn bind_dual(port: u16) -> io::Result<std::net::TcpListener> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    // As the standard library does: connections that are ending must not keep a restarted process from its port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connections that the machine holds until they are accepted: a burst of clients must not be refused.
const BACKLOG: i32 = 4096;

/// The number of open connections.
#[derive(Debug, Clone)]
pub struct Connections(Arc<watch::Sender<usize>>);

impl Default for Connections {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Connections {
    /// How many are open now.
    pub fn open(&self) -> usize {
        *self.0.borrow()
    }

    /// Returns when none is open.
    pub async fn none(&self) {
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|open| *open == 0).await;
    }
}

/// Serves until `closing` is cancelled and the connections that were open then have ended.
///
/// The future is boxed so that the whole HTTP server is compiled with this crate and not with every program that
/// serves.
pub fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    closing: CancellationToken,
) -> BoxFuture<'static, io::Result<()>> {
    let counted = Counted { listener, connections };
    Box::pin(
        async move { axum::serve(counted, router).with_graceful_shutdown(closing.cancelled_owned()).await },
    )
}

/// A listener that counts its connections.
struct Counted {
    listener: TcpListener,
    connections: Connections,
}

impl axum::serve::Listener for Counted {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        // Small events must not wait for each other. A connection that is gone already fails at its first read.
        let _ = stream.set_nodelay(true);
        self.connections.0.send_modify(|open| *open += 1);
        (Connection { stream, connections: self.connections.clone() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that is counted until it is dropped.
struct Connection {
    stream: TcpStream,
    connections: Connections,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.0.send_modify(|open| *open -= 1);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::serve::Listener;

    use super::*;

    #[tokio::test]
    async fn connections_are_counted_until_they_close() {
        let (port, mut listeners) = bind(0).await.unwrap();
        let connections = Connections::default();
        let mut counted = Counted { listener: listeners.remove(0), connections: connections.clone() };
        assert!(counted.local_addr().unwrap().ip().is_loopback());
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let (server_side, _) = counted.accept().await;
        assert_eq!(connections.open(), 1);
        drop((client, server_side));
        connections.none().await;
    }

    #[tokio::test]
    async fn everybody_is_served_by_both_protocols() {
        let (port, listener) = bind_all(0).unwrap();
        assert!(listener.local_addr().unwrap().ip().is_unspecified());
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        if listener.local_addr().unwrap().is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.unwrap();
        }
        assert_eq!(bind_all(port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_refused() {
        let (port, _listeners) = bind(0).await.unwrap();
        assert_eq!(bind(port).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
