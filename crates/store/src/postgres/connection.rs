//! One connection: how it is made, and how statements are sent over it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, NoTlsStream};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Address, Server};
use super::tls::TlsMode;
use super::{ConnectError, PostgresOptions, password, refusal, tls};

/// A parameter with its type: the server is not asked for it.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// One connection with the statements that were prepared on it.
pub struct Connection {
    client: Client,
    unnamed: bool,
    prepared: Mutex<HashMap<String, Statement>>,
    /// Whether it must not be used again: what it is connected to has changed, or does not answer.
    spoilt: AtomicBool,
}

/// A statement that was given up after this long has a connection that nobody should wait for again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The oldest version of PostgreSQL whose behaviour the statements rely on.
const OLDEST: i32 = 15;

impl Connection {
    /// Connects to the first server that can be written to.
    pub async fn open(options: &PostgresOptions) -> Result<Self, ConnectError> {
        let address = &Address::of(options)?;
        first_of(address, |server| async move {
            let (client, driver) = dial(options, address, server).await?;
            match driver {
                Driver::Plain(driver) => tokio::spawn(drive(*driver)),
                Driver::Tls(driver) => tokio::spawn(drive(*driver)),
            };
            let (unnamed, prepared) = (options.unnamed_statements, Mutex::default());
            let connection = Self { client, unnamed, prepared, spoilt: AtomicBool::new(false) };
            connection.inspect(server).await?;
            Ok(connection)
        })
        .await
    }

    /// Whether it must not be used again: the server has gone, or is no longer one that can be written to.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed() || self.spoilt.load(Ordering::Relaxed)
    }

    /// Whether a pooler may hand each of its transactions to another process of the server.
    pub(super) fn is_shared(&self) -> bool {
        self.unnamed
    }

    /// Sees to it that it is not used again.
    pub(super) fn spoil(&self) {
        self.spoilt.store(true, Ordering::Relaxed);
    }

    /// Sends one statement, and answers its rows.
    pub async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, tokio_postgres::Error> {
        let flight = Flight { connection: self, began: Instant::now(), landed: false };
        let result = self.send(sql, params).await;
        flight.land(result)
    }

    async fn send(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, tokio_postgres::Error> {
        if self.unnamed {
            return self.client.query_typed(sql, params).await;
        }
        let known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
                let statement = self.client.prepare_typed(sql, &types).await?;
                let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
                prepared.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
        self.client.query(&statement, &values).await
    }

    /// Sends one statement that seldom comes again: it is not prepared.
    pub async fn rows_once(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let flight = Flight { connection: self, began: Instant::now(), landed: false };
        let result = self.client.query_typed(sql, params).await;
        flight.land(result)
    }

    /// Sends a script of statements without parameters.
    pub async fn script(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        let flight = Flight { connection: self, began: Instant::now(), landed: false };
        let result = self.client.batch_execute(sql).await;
        flight.land(result)
    }

    /// What every connection must prove before it is used: a server that forgets what it confirmed would break every
    /// promise without a sign.
    async fn inspect(&self, server: &Server) -> Result<(), ConnectError> {
        const QUESTION: &str = "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
             current_setting('transaction_read_only'), current_setting('server_version_num')::int4";
        let rows = self.client.query_typed(QUESTION, &[]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let text = |at: usize| row.try_get::<_, &str>(at);
        let unfit = |why: String| Err(ConnectError::Unfit(format!("{}: {why}", server.name)));
        let version: i32 = row.try_get(3)?;
        if version / 10_000 < OLDEST {
            return unfit(format!("PostgreSQL {} is too old: it takes {OLDEST} or newer", version / 10_000));
        }
        if text(2)? == "on" {
            return unfit(
                "it accepts no writes (a standby, or default_transaction_read_only is on): name the primary, or all \
                 servers with commas between them"
                    .to_owned(),
            );
        }
        if text(0)? == "off" {
            return unfit(
                "synchronous_commit is off, so that tasks which were accepted may be lost: set it to on for this user \
                 (ALTER ROLE … SET synchronous_commit = on)"
                    .to_owned(),
            );
        }
        if text(1)? == "off" {
            tracing::warn!(
                server = server.name,
                "fsync is off at the database: a crash of its machine may lose or spoil everything"
            );
        }
        Ok(())
    }
}

/// A statement under way. Whoever drops it unanswered after a while has met a server that does not answer, and the
/// next one should not be put behind it.
struct Flight<'a> {
    connection: &'a Connection,
    began: Instant,
    landed: bool,
}

impl Flight<'_> {
    fn land<T>(mut self, result: Result<T, tokio_postgres::Error>) -> Result<T, tokio_postgres::Error> {
        self.landed = true;
        if let Err(error) = &result
            && error.code().is_some_and(spoils)
        {
            self.connection.spoil();
        }
        result
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.landed && self.began.elapsed() > PATIENCE {
            self.connection.spoil();
        }
    }
}

/// Errors after which a new connection fares better: the primary became a standby, the server stops, or what was
/// prepared here no longer fits the tables.
fn spoils(code: &SqlState) -> bool {
    const SPOILING: [SqlState; 6] = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ];
    SPOILING.contains(code)
}

/// What moves the bytes of a connection.
pub enum Driver {
    /// Where TLS is not wanted.
    Plain(Box<tokio_postgres::Connection<Socket, NoTlsStream>>),
    /// Where it is wanted, whether or not the server has it.
    Tls(Box<tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>>),
}

/// A bare connection to the first server that can be written to, for whoever drives it: to listen to notifications.
pub async fn connect(options: &PostgresOptions) -> Result<(Client, Driver), ConnectError> {
    let mut address = Address::of(options)?;
    for server in &mut address.servers {
        server.config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    first_of(&address, |server| dial(options, &address, server)).await
}

/// Tries one server after the other, each with its own time.
async fn first_of<'a, T, F: Future<Output = Result<T, ConnectError>>>(
    address: &'a Address,
    attempt: impl Fn(&'a Server) -> F,
) -> Result<T, ConnectError> {
    let mut failures = Vec::new();
    for server in &address.servers {
        match tokio::time::timeout(server.connect_timeout, attempt(server)).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => failures.push(error),
            Err(_) => failures.push(ConnectError::Unreachable(format!(
                "{}: no answer within {} s; is the network open to it?",
                server.name,
                server.connect_timeout.as_secs_f32()
            ))),
        }
    }
    Err(of_all(failures))
}

async fn dial(
    options: &PostgresOptions,
    address: &Address,
    server: &Server,
) -> Result<(Client, Driver), ConnectError> {
    let mut config = server.config.clone();
    if let Some(password) = password::read(options, server).await? {
        config.password(password);
    }
    let refused = |error| refusal::explain(server, &error);
    if server.local || address.tls_mode == TlsMode::Disable {
        let (client, driver) = config.connect(NoTls).await.map_err(refused)?;
        return Ok((client, Driver::Plain(Box::new(driver))));
    }
    let (mode, files) = (address.tls_mode, address.tls_files.clone());
    let connector = tokio::task::spawn_blocking(move || tls::connector(mode, &files));
    let connector = connector.await.map_err(|error| ConnectError::Tls(error.to_string()))??;
    let (client, driver) = config.connect(connector).await.map_err(refused)?;
    Ok((client, Driver::Tls(Box::new(driver))))
}

/// Moves bytes until the connection ends.
async fn drive<T: AsyncRead + AsyncWrite + Unpin>(driver: tokio_postgres::Connection<Socket, T>) {
    if let Err(error) = driver.await {
        tracing::debug!(%error, "a connection to the database ended");
    }
}

/// One error for all servers.
fn of_all(mut failures: Vec<ConnectError>) -> ConnectError {
    match failures.len() {
        1 => failures.remove(0),
        _ => {
            let said = failures.iter().map(|failure| match failure {
                ConnectError::Unreachable(why) | ConnectError::Tls(why) | ConnectError::Unfit(why) => {
                    why.clone()
                }
                other => other.to_string(),
            });
            ConnectError::Unreachable(said.collect::<Vec<_>>().join("; "))
        }
    }
}
