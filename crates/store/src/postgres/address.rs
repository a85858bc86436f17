//! Where the servers are and how they want to be spoken to: a URL, and PostgreSQL's own variables for what it leaves
//! out.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::tls::{TlsFiles, TlsMode};
use super::{ConnectError, PostgresOptions};

/// Without these a connection that a firewall forgot, or a server whose machine is gone, is noticed after hours.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(15);

/// Every server, and what is common to them.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// In the order in which they are tried.
    pub servers: Vec<Server>,
    /// How connections are protected.
    pub tls_mode: TlsMode,
    /// The files for that.
    pub tls_files: TlsFiles,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// `host:port`, for people.
    pub name: String,
    /// Whether it is reached through a socket file, where there is no TLS.
    pub local: bool,
    /// Everything but the password, unless the URL holds that.
    pub config: Config,
    /// The longest that connecting may take.
    pub connect_timeout: Duration,
}

impl Address {
    /// Reads the settings.
    pub fn of(options: &PostgresOptions) -> Result<Self, ConnectError> {
        let variable = |name: &str| options.variables.get(name).filter(|value| !value.is_empty()).cloned();
        let (url, mut ours) = split(&options.url)?;
        let mut common: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            ConnectError::Address(format!(
                "{why}; reserved characters in user, password and database are written as %40 for @, %2F for /, \
                 %3A for :, %3F for ?, %23 for #, %25 for %"
            ))
        })?;
        for (key, name) in [
            ("sslmode", "PGSSLMODE"),
            ("sslrootcert", "PGSSLROOTCERT"),
            ("sslcert", "PGSSLCERT"),
            ("sslkey", "PGSSLKEY"),
            ("target_session_attrs", "PGTARGETSESSIONATTRS"),
        ] {
            if let Some(value) = variable(name) {
                ours.entry(key.to_owned()).or_insert(value);
            }
        }
        fill(&mut common, &variable)?;
        check_target(ours.get("target_session_attrs").map(String::as_str))?;
        let tls_mode = TlsMode::parse(ours.get("sslmode").map(String::as_str))?;
        let file = |key: &str| ours.get(key).filter(|path| !path.is_empty()).map(Into::into);
        let tls_files = TlsFiles { root: file("sslrootcert"), cert: file("sslcert"), key: file("sslkey") };
        if tls_files.cert.is_some() != tls_files.key.is_some() {
            return Err(ConnectError::Address("sslcert and sslkey go together: one is missing".to_owned()));
        }
        let servers = servers(&common, tls_mode, options)?;
        Ok(Self { servers, tls_mode, tls_files })
    }

    /// The servers, for people.
    pub fn names(&self) -> String {
        self.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Takes out of the URL what the driver does not know, or knows in part.
fn split(url: &str) -> Result<(String, BTreeMap<String, String>), ConnectError> {
    const OURS: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"];
    if url.is_empty() {
        return Ok(("postgres://".to_owned(), BTreeMap::new()));
    }
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(ConnectError::Address(
            "it must begin with `postgres://`: postgres://user@host:5432/database".to_owned(),
        ));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut ours = BTreeMap::new();
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match OURS.contains(&key) {
            true => drop(ours.insert(key.to_owned(), decode(value)?)),
            false => rest.push(pair),
        }
    }
    let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((rest, ours))
}

fn decode(value: &str) -> Result<String, ConnectError> {
    let decoded = percent_encoding::percent_decode_str(value).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| ConnectError::Address("a parameter is not UTF-8".to_owned()))
}

/// What the URL left out.
fn fill(config: &mut Config, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), ConnectError> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let hosts = variable("PGHOST").ok_or_else(|| {
            ConnectError::Address("it names no host: set DATABASE_URL, or PGHOST and its like".to_owned())
        })?;
        for host in hosts.split(',') {
            config.host(host);
        }
    }
    if config.get_ports().is_empty()
        && let Some(ports) = variable("PGPORT")
    {
        for port in ports.split(',') {
            config.port(port.trim().parse().map_err(|_| {
                ConnectError::Address(format!("PGPORT is `{port}` and must be a number from 1 to 65535"))
            })?);
        }
    }
    if config.get_user().is_none()
        && let Some(user) = variable("PGUSER")
    {
        config.user(user);
    }
    if config.get_dbname().is_none()
        && let Some(database) = variable("PGDATABASE")
    {
        config.dbname(database);
    }
    Ok(())
}

/// The store writes: whatever the words, it needs a server that lets it, which is checked on every connection.
fn check_target(wanted: Option<&str>) -> Result<(), ConnectError> {
    match wanted {
        None | Some("any" | "read-write" | "primary") => Ok(()),
        Some(other) => Err(ConnectError::Address(format!(
            "target_session_attrs is `{other}`, but tasks must be written: leave it out or say `read-write`"
        ))),
    }
}

/// One configuration per server: each gets its own time and its own error.
fn servers(common: &Config, tls: TlsMode, options: &PostgresOptions) -> Result<Vec<Server>, ConnectError> {
    let (hosts, addresses, ports) = (common.get_hosts(), common.get_hostaddrs(), common.get_ports());
    let count = hosts.len().max(addresses.len());
    let uneven = !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len();
    if uneven || (ports.len() > 1 && ports.len() != count) {
        return Err(ConnectError::Address("it names different numbers of hosts and ports".to_owned()));
    }
    let server = |at: usize| {
        let mut config = copy_without_hosts(common);
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        config.port(port);
        let mut local = false;
        let mut name = String::new();
        if let Some(address) = addresses.get(at) {
            config.hostaddr(*address);
            name = address.to_string();
        }
        match hosts.get(at) {
            Some(Host::Tcp(host)) => {
                config.host(host);
                name = host.clone();
            }
            #[cfg(unix)]
            Some(Host::Unix(path)) => {
                config.host_path(path);
                name = path.display().to_string();
                local = true;
            }
            None => {}
        }
        config.ssl_mode(tls.driver_mode(local));
        if config.get_application_name().is_none() {
            config.application_name(&options.application_name);
        }
        let connect_timeout = common.get_connect_timeout().copied().unwrap_or(options.connect_timeout);
        config.connect_timeout(connect_timeout);
        Server { name: format!("{name}:{port}"), local, config, connect_timeout }
    };
    Ok((0..count).map(server).collect())
}

fn copy_without_hosts(common: &Config) -> Config {
    let mut config = Config::new();
    if let Some(user) = common.get_user() {
        config.user(user);
    }
    if let Some(password) = common.get_password() {
        config.password(password);
    }
    if let Some(database) = common.get_dbname() {
        config.dbname(database);
    }
    if let Some(options) = common.get_options() {
        config.options(options);
    }
    if let Some(name) = common.get_application_name() {
        config.application_name(name);
    }
    let fresh_idle = Config::new().get_keepalives_idle();
    let idle = Some(common.get_keepalives_idle()).filter(|idle| *idle != fresh_idle);
    config
        .ssl_negotiation(common.get_ssl_negotiation())
        .channel_binding(common.get_channel_binding())
        .load_balance_hosts(common.get_load_balance_hosts())
        .keepalives(common.get_keepalives())
        .keepalives_idle(idle.unwrap_or(KEEPALIVE_IDLE))
        .keepalives_interval(common.get_keepalives_interval().unwrap_or(KEEPALIVE_INTERVAL))
        .keepalives_retries(common.get_keepalives_retries().unwrap_or(KEEPALIVE_RETRIES))
        .tcp_user_timeout(common.get_tcp_user_timeout().copied().unwrap_or(TCP_USER_TIMEOUT));
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(url: &str, variables: &[(&str, &str)]) -> Result<Address, ConnectError> {
        let mut options = PostgresOptions::new(url);
        options.variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Address::of(&options)
    }

    #[test]
    fn reserved_characters_are_written_with_percent_signs() {
        let address =
            read("postgres://a%40b:p%2F%3A%40%3F%23%25%26@h/d%2Fb%20c?sslmode=disable", &[]).unwrap();
        let config = &address.servers[0].config;
        assert_eq!(config.get_user(), Some("a@b"));
        assert_eq!(config.get_password(), Some(b"p/:@?#%&".as_slice()));
        assert_eq!(config.get_dbname(), Some("d/b c"));
        assert_eq!(address.names(), "h:5432");
    }

    #[test]
    fn tls_settings_are_taken_out_of_the_url() {
        let url = "postgresql://u@h/d?sslmode=verify-full&sslrootcert=%2Fca%20x.pem&connect_timeout=2";
        let address = read(url, &[]).unwrap();
        assert_eq!(address.tls_mode, TlsMode::VerifyFull);
        assert_eq!(address.tls_files.root.as_deref(), Some("/ca x.pem".as_ref()));
        assert_eq!(address.servers[0].connect_timeout, Duration::from_secs(2));
    }

    #[test]
    fn every_host_is_a_server_of_its_own() {
        let address = read("postgres://u@one:1,two:2/d?target_session_attrs=read-write", &[]).unwrap();
        assert_eq!(address.names(), "one:1, two:2");
        let refused = read("postgres://u@h/d?target_session_attrs=read-only", &[]).unwrap_err();
        assert!(refused.to_string().contains("read-write"), "{refused}");
    }

    #[test]
    fn variables_say_what_the_url_leaves_out() {
        let variables = [
            ("PGHOST", "db,/run/postgresql"),
            ("PGPORT", "6432"),
            ("PGUSER", "ada"),
            ("PGDATABASE", "tasks"),
            ("PGSSLMODE", "require"),
        ];
        let address = read("", &variables).unwrap();
        assert_eq!(address.names(), "db:6432, /run/postgresql:6432");
        assert!(address.servers[1].local && !address.servers[0].local);
        let config = &address.servers[0].config;
        assert_eq!((config.get_user(), config.get_dbname()), (Some("ada"), Some("tasks")));
        assert_eq!(address.tls_mode, TlsMode::Require);
        let url = read("postgres://eve@other:1/own?sslmode=disable", &variables).unwrap();
        assert_eq!(url.names(), "other:1");
        assert_eq!(url.servers[0].config.get_user(), Some("eve"));
        assert_eq!(url.tls_mode, TlsMode::Disable);
    }

    #[test]
    fn what_is_no_address_is_said_without_its_password() {
        for (url, part) in [
            ("mysql://u:planted@h/d", "postgres://"),
            ("", "PGHOST"),
            ("postgres://u:planted@h:x/d", "%40"),
            ("postgres://u:planted@h/d?sslmode=maybe", "verify-full"),
            ("postgres://u:planted@h/d?sslcert=/c.pem", "sslkey"),
        ] {
            let error = read(url, &[]).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("planted"), "{url}: {error}");
        }
    }
}
