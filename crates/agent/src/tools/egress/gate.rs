//! The gate: resolves names for HTTP clients and lets only admitted addresses through.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::{EgressDenied, EgressPolicy};

/// Turns a name into addresses. Tests put their own in; [`Gate::new`] asks the system.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Stands between an HTTP client and the network.
///
/// A resolver is asked for a name and not for a port, while entries may name ports. So a request is announced with
/// its port before it is made, and an address passes only if it is admitted for every port that is announced for its
/// name at that moment.
pub struct Gate {
    policy: EgressPolicy,
    lookup: Lookup,
    announced: Mutex<HashMap<String, Vec<u16>>>,
    proxy: Arc<Matcher>,
    proxy_hosts: BTreeSet<String>,
}

/// Why a request is not let out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The policy says no.
    #[error(transparent)]
    Denied(#[from] EgressDenied),
    /// A name that has to be checked before it goes to a proxy cannot be resolved.
    #[error("`{0}` cannot be resolved")]
    Unresolved(String),
}

/// A request that was let out; withdraws its announcement when it is dropped.
pub(crate) struct Admission {
    gate: Arc<Gate>,
    announced: Option<(String, u16)>,
}

impl Gate {
    /// A gate that resolves names as the system does, or as `lookup` does. Proxies come from the environment.
    pub fn new(policy: EgressPolicy, lookup: Option<Lookup>) -> Arc<Self> {
        let proxy = Arc::new(Matcher::from_system());
        let proxy_hosts = ["http://proxied.invalid/", "https://proxied.invalid/"]
            .iter()
            .filter_map(|uri| proxy.intercept(&uri.parse().ok()?)?.uri().host().map(str::to_ascii_lowercase))
            .collect();
        let lookup = lookup.unwrap_or_else(|| Arc::new(|name| Box::pin(system_lookup(name))));
        Arc::new(Self { policy, lookup, announced: Mutex::default(), proxy, proxy_hosts })
    }

    /// Asks the policy about a URL and announces the request. Resolves only where the client's own resolution would
    /// not be asked for the destination: through a proxy.
    pub(crate) async fn admit(self: &Arc<Self>, url: &Url) -> Result<Admission, Refusal> {
        self.policy.check_url(url)?;
        let (Some(Host::Domain(name)), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Ok(Admission { gate: self.clone(), announced: None });
        };
        let name = name.to_ascii_lowercase();
        let proxied = url.as_str().parse().is_ok_and(|uri| self.proxy.intercept(&uri).is_some());
        if proxied || self.proxy_hosts.contains(&name) {
            match (self.lookup)(name.clone()).await {
                Ok(found) => {
                    for ip in found {
                        self.policy.check_address(&name, ip, port)?;
                    }
                }
                Err(_) if self.policy.admits_name(&name, port) => {}
                Err(_) => return Err(Refusal::Unresolved(name)),
            }
        }
        self.announcements().entry(name.clone()).or_default().push(port);
        Ok(Admission { gate: self.clone(), announced: Some((name, port)) })
    }

    /// The proxies of the environment.
    pub(crate) fn proxies(&self) -> &Arc<Matcher> {
        &self.proxy
    }

    /// The addresses of a name that may be connected to now.
    pub(crate) async fn resolve(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let name = name.to_ascii_lowercase();
        let found = (self.lookup)(name.clone()).await?;
        if self.proxy_hosts.contains(&name) {
            return Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect());
        }
        Ok(self.filter(&name, found)?)
    }

    fn announcements(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<u16>>> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses out of `found` that may be connected to on every announced port.
    fn filter(&self, name: &str, found: Vec<IpAddr>) -> Result<Vec<SocketAddr>, EgressDenied> {
        let ports = self.announcements().get(name).cloned().unwrap_or_default();
        let mut denied = EgressDenied {
            destination: format!("`{name}`"),
            reason: "the request for it is over or it has no address".to_owned(),
        };
        let mut admitted = Vec::new();
        for ip in found {
            match ports.iter().try_for_each(|port| self.policy.check_address(name, ip, *port)) {
                Ok(()) if !ports.is_empty() => admitted.push(SocketAddr::new(ip, 0)),
                Ok(()) => {}
                Err(error) => denied = error,
            }
        }
        if admitted.is_empty() { Err(denied) } else { Ok(admitted) }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Some((name, port)) = &self.announced else { return };
        let mut announced = self.gate.announcements();
        if let Some(ports) = announced.get_mut(name) {
            if let Some(at) = ports.iter().position(|p| p == port) {
                ports.swap_remove(at);
            }
            if ports.is_empty() {
                announced.remove(name);
            }
        }
    }
}

/// What a client is given as its resolver.
pub(crate) struct GateResolver(pub Arc<Gate>);

impl Resolve for GateResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.0.clone();
        Box::pin(async move {
            let addresses: Addrs = Box::new(gate.resolve(name.as_str()).await?.into_iter());
            Ok(addresses)
        })
    }
}

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}
