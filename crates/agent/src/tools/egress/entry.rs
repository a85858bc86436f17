//! Entries of `egress.allow`: what they look like and what they match.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use globset::{Glob, GlobMatcher};
use ipnet::IpNet;

/// Why an entry of `egress.allow` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressEntryError {
    /// Nothing is there.
    #[error("an entry of `egress.allow` is empty: remove it, or write a host such as `api.example.com`")]
    Empty,
    /// A URL instead of a host.
    #[error(
        "`{0}` in `egress.allow` is a URL: write only its host and, if need be, its port, as in `api.example.com:443`"
    )]
    Url(String),
    /// The part behind the last colon is no port.
    #[error(
        "`{0}` in `egress.allow` has no valid port: write 1 to 65535 or a range, as in `api.example.com:8000-8100`"
    )]
    Port(String),
    /// The part before a slash is no address, or the part behind it no length of a prefix.
    #[error("`{0}` in `egress.allow` is no network: write it as in `10.0.0.0/8` or `[fd00::/8]:443`")]
    Network(String),
    /// No host name and no glob.
    #[error(
        "`{0}` in `egress.allow` is no host name: use letters, digits, `-`, `_`, `.` and `*`, as in `*.example.com`"
    )]
    Host(String),
}

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub target: Target,
    ports: Option<RangeInclusive<u16>>,
}

/// What an entry speaks of.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// `*`.
    Public,
    /// One name, in lower case.
    Name(String),
    /// Names that match.
    Names(GlobMatcher),
    /// Addresses.
    Net(IpNet),
}

impl Entry {
    pub fn has_port(&self, port: u16) -> bool {
        self.ports.as_ref().is_none_or(|ports| ports.contains(&port))
    }
}

impl FromStr for Entry {
    type Err = EgressEntryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entry = text.trim();
        if entry.is_empty() {
            return Err(EgressEntryError::Empty);
        }
        if entry.contains("://") {
            return Err(EgressEntryError::Url(entry.to_owned()));
        }
        let (host, ports) = split_ports(entry)?;
        Ok(Self { target: Target::parse(&host, entry)?, ports })
    }
}

/// Splits `host:port`, `host:from-to`, `[address or network]:port` and plain forms of all of them.
fn split_ports(entry: &str) -> Result<(String, Option<RangeInclusive<u16>>), EgressEntryError> {
    let bad_port = || EgressEntryError::Port(entry.to_owned());
    let (host, port) = if let Some(inner) = entry.strip_prefix('[') {
        let (host, rest) =
            inner.split_once(']').ok_or_else(|| EgressEntryError::Network(entry.to_owned()))?;
        match rest {
            "" => (host, None),
            _ => (host, Some(rest.strip_prefix(':').ok_or_else(bad_port)?)),
        }
    } else if entry.matches(':').count() == 1 {
        entry.split_once(':').map_or((entry, None), |(host, port)| (host, Some(port)))
    } else {
        // No colon, or an IPv6 address or network without a port.
        (entry, None)
    };
    let Some(port) = port else { return Ok((host.to_owned(), None)) };
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad_port);
    let ports = match port.split_once('-') {
        None => number(port)?..=number(port)?,
        Some((from, to)) => number(from)?..=number(to)?,
    };
    if ports.is_empty() { Err(bad_port()) } else { Ok((host.to_owned(), Some(ports))) }
}

impl Target {
    fn parse(host: &str, entry: &str) -> Result<Self, EgressEntryError> {
        if host == "*" {
            return Ok(Self::Public);
        }
        if host.contains('/') || host.contains(':') || host.parse::<IpAddr>().is_ok() {
            let net = host.parse::<IpNet>().or_else(|_| host.parse::<IpAddr>().map(IpNet::from));
            return net
                .map(|net| Self::Net(net.trunc()))
                .map_err(|_| EgressEntryError::Network(entry.to_owned()));
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let bad_host = || EgressEntryError::Host(entry.to_owned());
        let fits =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.*".contains(&b));
        if !fits {
            return Err(bad_host());
        }
        if name.contains('*') {
            Glob::new(&name).map(|glob| Self::Names(glob.compile_matcher())).map_err(|_| bad_host())
        } else {
            Ok(Self::Name(name))
        }
    }
}
