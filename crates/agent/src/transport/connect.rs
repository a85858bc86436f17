//! New connections: names resolved as the gate demands, all addresses tried in the order of RFC 8305.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::net::TcpStream;
use tower_service::Service;

use super::answer::Unanswered;
use crate::tools::egress::Gate;

/// After so much silence the other side is asked whether it is still there, as often, three times.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// What was sent and is not acknowledged after this time shows that it is not.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Makes connections.
pub(super) struct Connector {
    http: HttpConnector<Resolver>,
    timeout: Duration,
}

impl Connector {
    pub fn new(timeout: Duration, gate: Option<Arc<Gate>>) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver(gate));
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeout));
        http.set_keepalive(Some(KEEPALIVE));
        http.set_keepalive_interval(Some(KEEPALIVE));
        http.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        http.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Self { http, timeout }
    }

    /// A connection to the authority of `uri`. Every error comes before the first byte.
    pub async fn connect(&self, uri: &Uri) -> Result<TcpStream, Unanswered> {
        // Boxed: a call that finds a kept connection has no use for all this room.
        let connecting = Box::pin(self.http.clone().call(uri.clone()));
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(Ok(stream)) => Ok(stream.into_inner()),
            Ok(Err(error)) => Err(Unanswered::unconnected(&error)),
            Err(_) => {
                Err(Unanswered::Unconnected(format!("no connection within {} s", self.timeout.as_secs_f32())))
            }
        }
    }
}

/// Resolves names; without a gate, as the system does.
#[derive(Clone)]
struct Resolver(Option<Arc<Gate>>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let gate = self.0.clone();
        Box::pin(async move {
            let addresses = match gate {
                Some(gate) => gate.resolve(name.as_str()).await?,
                None => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
            };
            Ok(addresses.into_iter())
        })
    }
}
