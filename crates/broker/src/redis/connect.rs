//! Which server to connect to.

use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

use crate::link::{ConnectError, answer};
use crate::tls::TlsFiles;

/// How Redis is reached.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// The servers.
    pub servers: RedisServers,
    /// For `rediss`.
    pub tls: TlsFiles,
}

/// What kind of installation it is. Addresses are `redis://user:password@host:port`, or `rediss://…` for TLS; reserved
/// characters are written as `%` and two digits.
#[derive(Debug, Clone)]
pub enum RedisServers {
    /// One server.
    Single {
        /// Its address.
        url: String,
    },
    /// A master that Sentinel names.
    Sentinel {
        /// Addresses of sentinels; the first that answers is asked.
        sentinels: Vec<String>,
        /// The name of the group.
        group: String,
        /// User and password for the master, as those of a URL (`redis://user:password@ignored`), and whether it is
        /// spoken to by TLS.
        master: String,
    },
    /// A cluster.
    Cluster {
        /// Addresses of nodes; the first that answers is used.
        urls: Vec<String>,
    },
}

/// Answers are awaited by the caller, for longer than the library would.
pub(super) fn settings() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(Some(Duration::from_secs(5)))
}

impl RedisConfig {
    /// A client of a server that has just answered.
    pub(super) async fn client(&self) -> Result<Client, ConnectError> {
        match &self.servers {
            RedisServers::Single { url } => self.open(parse(url)?),
            RedisServers::Cluster { urls } => {
                let mut last: ConnectError = "no address is given".into();
                for url in urls {
                    match self.reach(url).await {
                        Ok(client) => return Ok(client),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            RedisServers::Sentinel { sentinels, group, master } => {
                let mut last: ConnectError = "no address of a sentinel is given".into();
                for sentinel in sentinels {
                    match self.master(sentinel, group, master).await {
                        Ok(client) => return Ok(client),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    async fn reach(&self, url: &str) -> Result<Client, ConnectError> {
        let client = self.open(parse(url)?)?;
        let mut connection = answer(client.get_multiplexed_async_connection_with_config(&settings())).await?;
        answer(::redis::cmd("PING").exec_async(&mut connection)).await?;
        Ok(client)
    }

    /// The master that a sentinel names, if it is one: between its death and the next election a name is stale.
    async fn master(&self, sentinel: &str, group: &str, master: &str) -> Result<Client, ConnectError> {
        let asked = self.open(parse(sentinel)?)?;
        let mut connection = answer(asked.get_multiplexed_async_connection_with_config(&settings())).await?;
        let mut question = ::redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(group);
        let named: Option<(String, u16)> = answer(question.query_async(&mut connection)).await?;
        let (host, port) = named.ok_or_else(|| format!("the sentinel knows no group `{group}`"))?;
        let info = parse(master)?;
        let addr = match info.addr() {
            ConnectionAddr::TcpTls { insecure, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let client = self.open(info.set_addr(addr))?;
        let mut connection = answer(client.get_multiplexed_async_connection_with_config(&settings())).await?;
        let role: Vec<::redis::Value> = answer(::redis::cmd("ROLE").query_async(&mut connection)).await?;
        match role.first().map(::redis::from_redis_value_ref::<String>) {
            Some(Ok(role)) if role == "master" => Ok(client),
            _ => Err("the server that the sentinel names is no master yet".into()),
        }
    }

    fn open(&self, info: ConnectionInfo) -> Result<Client, ConnectError> {
        Ok(match info.addr() {
            ConnectionAddr::TcpTls { .. } => Client::build_with_tls(info, self.tls.redis()?)?,
            _ => Client::open(info)?,
        })
    }
}

/// The text is not repeated in messages: it holds a password.
fn parse(url: &str) -> Result<ConnectionInfo, ConnectError> {
    Ok(url.into_connection_info().map_err(|error| format!("the address of Redis cannot be used: {error}"))?)
}
