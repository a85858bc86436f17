//! The policy itself: pure questions about URLs and addresses.

use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use super::entry::{EgressEntryError, Entry, Target};
use super::ranges::{Kind, canonical, kind};

/// Which destinations requests may have. The module's documentation says what entries mean.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    entries: Arc<[Entry]>,
    allow_loopback: bool,
}

/// A destination that is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{destination} may not be reached: {reason}. The operator's setting `egress.allow` lists what may be"
)]
pub struct EgressDenied {
    /// Host and port, or what stands in their place.
    pub destination: String,
    /// Why, as the rest of a sentence.
    pub reason: String,
}

impl EgressPolicy {
    /// Reads the entries of `egress.allow`; all mistakes at once. `allow_loopback` is for a loopback `up`.
    pub fn parse<S: AsRef<str>>(entries: &[S], allow_loopback: bool) -> Result<Self, Vec<EgressEntryError>> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.as_ref().parse() {
                Ok(entry) => good.push(entry),
                Err(error) => bad.push(error),
            }
        }
        if bad.is_empty() { Ok(Self { entries: good.into(), allow_loopback }) } else { Err(bad) }
    }

    /// Refuses what can be refused by looking at the URL. A name that passes still has to resolve to addresses that
    /// [`check_address`](Self::check_address) admits.
    pub fn check_url(&self, url: &Url) -> Result<(), EgressDenied> {
        let refuse =
            |destination: String, reason: &str| Err(EgressDenied { destination, reason: reason.to_owned() });
        if !matches!(url.scheme(), "http" | "https") {
            return refuse(
                format!("A URL of the scheme `{}`", url.scheme()),
                "only `http` and `https` are spoken",
            );
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return refuse("A URL without a host".to_owned(), "it leads nowhere");
        };
        match host {
            Host::Ipv4(ip) => self.check_address(&ip.to_string(), ip.into(), port),
            Host::Ipv6(ip) => self.check_address(&ip.to_string(), ip.into(), port),
            Host::Domain(name) => {
                let by_address = self.allow_loopback
                    || self.entries.iter().any(|e| e.has_port(port) && matches!(e.target, Target::Net(_)));
                if self.entries.is_empty() || by_address || self.admits_name(name, port) {
                    Ok(())
                } else {
                    refuse(format!("`{name}:{port}`"), "no entry matches it")
                }
            }
        }
    }

    /// Whether `ip` may be connected to on `port` on behalf of `host`, which is a name or the address itself.
    pub fn check_address(&self, host: &str, ip: IpAddr, port: u16) -> Result<(), EgressDenied> {
        let ip = canonical(ip);
        let kind = kind(ip);
        if kind == Kind::Loopback && self.allow_loopback {
            return Ok(());
        }
        if self.entries.is_empty() && kind == Kind::Public {
            return Ok(());
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_name = host.parse::<IpAddr>().is_err();
        let admitted =
            self.entries.iter().filter(|entry| entry.has_port(port)).any(|entry| match &entry.target {
                Target::Net(net) => net.contains(&ip),
                Target::Public => kind == Kind::Public,
                Target::Names(glob) => {
                    is_name && glob.is_match(&host) && matches!(kind, Kind::Public | Kind::Private)
                }
                Target::Name(name) => *name == host && !matches!(kind, Kind::Special(_)),
            });
        if admitted {
            return Ok(());
        }
        let reason = match kind {
            Kind::Public => "no entry matches it".to_owned(),
            Kind::Loopback => format!("{ip} is a loopback address"),
            Kind::Private => format!("{ip} is a private address"),
            Kind::Special(what) => format!("{ip} is {what} address"),
        };
        let shown = if host.contains(':') { format!("[{host}]") } else { host };
        Err(EgressDenied { destination: format!("`{shown}:{port}`"), reason })
    }

    /// Whether an entry speaks of this name, wherever it resolves to.
    pub(super) fn admits_name(&self, name: &str, port: u16) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.entries.iter().filter(|entry| entry.has_port(port)).any(|entry| match &entry.target {
            Target::Public => true,
            Target::Names(glob) => glob.is_match(&name),
            Target::Name(own) => *own == name,
            Target::Net(_) => false,
        })
    }
}
