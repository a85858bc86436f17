//! Which server to connect to.

use std::path::PathBuf;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

use crate::link::{ConnectError, answer};
use crate::password;
use crate::tls::TlsFiles;

/// How Redis is reached.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// The servers.
    pub servers: RedisServers,
    /// The password of the nodes, where their addresses hold none. Read for each connection.
    pub password_file: Option<PathBuf>,
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
        /// The sentinels' own password, where their addresses hold none. Read for each connection.
        password_file: Option<PathBuf>,
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
    /// Finds what no later try would mend.
    pub fn check(&self) -> Result<(), ConnectError> {
        let check = |urls: &[String], file: &Option<PathBuf>, whose| {
            urls.iter().try_for_each(|url| {
                let in_address = parse(url)?.redis_settings().password().is_some();
                password::check(file.as_ref(), whose, in_address)
            })
        };
        match &self.servers {
            RedisServers::Single { url } => check(std::slice::from_ref(url), &self.password_file, "Redis"),
            RedisServers::Cluster { urls } => check(urls, &self.password_file, "Redis"),
            RedisServers::Sentinel { sentinels, password_file, master, .. } => {
                check(sentinels, password_file, "a sentinel")?;
                check(std::slice::from_ref(master), &self.password_file, "the master")
            }
        }
    }

    /// A client of a server that has just answered.
    pub(super) async fn client(&self) -> Result<Client, ConnectError> {
        match &self.servers {
            RedisServers::Single { url } => self.node(parse(url)?),
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
            RedisServers::Sentinel { sentinels, password_file, group, master } => {
                let mut last: ConnectError = "no address of a sentinel is given".into();
                for sentinel in sentinels {
                    let asked = with_password(parse(sentinel)?, password_file.as_ref())?;
                    match self.master(self.open(asked)?, group, master).await {
                        Ok(client) => return Ok(client),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    async fn reach(&self, url: &str) -> Result<Client, ConnectError> {
        let client = self.node(parse(url)?)?;
        let mut connection = answer(client.get_multiplexed_async_connection_with_config(&settings())).await?;
        answer(::redis::cmd("PING").exec_async(&mut connection)).await?;
        Ok(client)
    }

    /// The master that a sentinel names, if it is one: between its death and the next election a name is stale.
    async fn master(&self, sentinel: Client, group: &str, master: &str) -> Result<Client, ConnectError> {
        let mut connection =
            answer(sentinel.get_multiplexed_async_connection_with_config(&settings())).await?;
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
        let client = self.node(info.set_addr(addr))?;
        let mut connection = answer(client.get_multiplexed_async_connection_with_config(&settings())).await?;
        let role: Vec<::redis::Value> = answer(::redis::cmd("ROLE").query_async(&mut connection)).await?;
        match role.first().map(::redis::from_redis_value_ref::<String>) {
            Some(Ok(role)) if role == "master" => Ok(client),
            _ => Err("the server that the sentinel names is no master yet".into()),
        }
    }

    /// A client of a server that holds data, and so has this configuration's password.
    fn node(&self, info: ConnectionInfo) -> Result<Client, ConnectError> {
        self.open(with_password(info, self.password_file.as_ref())?)
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
    let wrong = |error| {
        format!(
            "an address of Redis cannot be used ({error}): write each as redis://host:port or rediss://host:port"
        )
    };
    Ok(url.into_connection_info().map_err(wrong)?)
}

fn with_password(info: ConnectionInfo, file: Option<&PathBuf>) -> Result<ConnectionInfo, ConnectError> {
    let Some(file) = file else { return Ok(info) };
    let login = info.redis_settings().clone().set_password(password::read(file)?);
    Ok(info.set_redis_settings(login))
}
