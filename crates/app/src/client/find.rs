//! Which server a command speaks to.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{Client, Path};
use crate::commands::Context;
use crate::exit::{Exit, Failure, Result};

/// Who answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Nobody, or not in time.
    Nobody,
    /// A program that is not agenticai.
    Stranger,
    /// agenticai, which does not accept the key: it serves another data directory.
    OtherKey,
    /// agenticai, which accepts the key.
    Ours,
}

/// Bound on each question of a probe: whoever listens on this machine answers at once.
const SOON: Duration = Duration::from_secs(2);

/// Asks an address who it is.
pub async fn probe(client: &Client) -> Probe {
    #[derive(Deserialize)]
    struct Health {
        service: String,
    }
    let asked = tokio::time::timeout(SOON, client.get::<Health>(Path::to(&["health"]))).await;
    match asked {
        Ok(Ok(health)) if health.service == "agenticai" => {}
        Ok(Err(Failure { exit: Exit::Unreachable, .. })) | Err(_) => return Probe::Nobody,
        _ => return Probe::Stranger,
    }
    let mine = Path { segments: &["api", "v1", "agents"], query: &[("limit", "1")] };
    match tokio::time::timeout(SOON, client.get::<serde_json::Value>(mine)).await {
        Ok(Ok(_)) => Probe::Ours,
        Ok(Err(Failure { exit: Exit::Unauthorized, .. })) => Probe::OtherKey,
        _ => Probe::Nobody,
    }
}

/// The server that a command speaks to: the one that was named, else the one of the data directory, else whoever has
/// the usual port.
pub async fn server(context: &Context) -> Result<Client> {
    if let Some(url) = context.url() {
        return named(context, url);
    }
    let usual = context.usual_url();
    let candidates = context.home.server().map(|server| server.url).into_iter().chain([usual.clone()]);
    for url in candidates {
        let client = Client::new(&url, context.key_for_local()?)?;
        match probe(&client).await {
            Probe::Ours => return Ok(client),
            Probe::OtherKey => {
                return Err(Failure::new(
                    Exit::Unauthorized,
                    format!(
                        "the server at {url} does not accept the key of {}: name its directory with --data-dir, or its \
                         key with --api-key",
                        context.home.path().display()
                    ),
                ));
            }
            Probe::Nobody | Probe::Stranger => {}
        }
    }
    Err(Failure::new(
        Exit::Unreachable,
        format!("no agenticai answers at {usual}: start one with `agenticai up`, or name one with --url"),
    ))
}

/// A server that was named by its address. The key file of this machine is for servers of this machine: it is not sent
/// anywhere else.
fn named(context: &Context, url: &str) -> Result<Client> {
    let key = match context.named_key()? {
        Some(key) => Some(key),
        None if Client::new(url, None).is_ok_and(|client| is_local(&client.base)) => context.home_key()?,
        None => None,
    };
    Client::new(url, key)
}

/// Whether an address is this machine's own.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for url in ["http://localhost:8000", "http://127.0.0.2", "http://[::1]:80"] {
            assert!(is_local(&Url::parse(url).unwrap()), "{url}");
        }
        for url in ["http://localhost.example.com", "http://10.0.0.1", "https://example.com", "http://[::2]"]
        {
            assert!(!is_local(&Url::parse(url).unwrap()), "{url}");
        }
    }
}
