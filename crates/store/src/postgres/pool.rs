//! Connections that are used again.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use tokio_postgres::Row;

use super::connection::Param;
use super::{ConnectError, Connection, PostgresOptions, schema};
use crate::{Result, StoreError};

pub(super) struct Maker(Arc<PostgresOptions>);

impl managed::Manager for Maker {
    type Type = Connection;
    type Error = ConnectError;

    async fn create(&self) -> std::result::Result<Connection, ConnectError> {
        Connection::open(&self.0).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<ConnectError> {
        match connection.is_closed() {
            true => Err(RecycleError::message("the connection is closed")),
            false => Ok(()),
        }
    }
}

/// Connections for one purpose.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Maker>,
    statement_timeout: Duration,
}

/// How a pool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStats {
    /// The most connections that it may have.
    pub limit: usize,
    /// Connections that it has.
    pub open: usize,
    /// Those of them that nobody uses right now.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

impl Pool {
    /// Makes none yet.
    pub(super) fn new(options: Arc<PostgresOptions>, size: usize) -> Self {
        // Making one is bounded by itself, for each server that is tried.
        let timeouts = Timeouts { wait: Some(options.acquire_timeout), create: None, recycle: None };
        let config = managed::PoolConfig { max_size: size.max(1), timeouts, ..Default::default() };
        let statement_timeout = options.statement_timeout;
        let builder = managed::Pool::builder(Maker(options)).config(config);
        #[allow(clippy::expect_used)] // It fails only where time-outs are given without a runtime.
        let connections = builder.runtime(deadpool::Runtime::Tokio1).build().expect("a runtime is named");
        Self { connections, statement_timeout }
    }

    /// A connection.
    pub(super) async fn get(&self) -> Result<Object<Maker>> {
        self.connections.get().await.map_err(|error| {
            StoreError::Unavailable(match error {
                PoolError::Timeout(_) => "no connection to the database within the time allowed".to_owned(),
                PoolError::Backend(error) => error.to_string(),
                other => other.to_string(),
            })
        })
    }

    /// Whether a pooler may hand each transaction of its connections to another process of the server.
    pub(super) fn is_shared(&self) -> bool {
        self.connections.manager().0.unnamed_statements
    }

    /// Sends one statement on a connection of the pool.
    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let connection = self.get().await?;
        self.bounded(&connection, connection.rows(sql, params)).await
    }

    /// Gives a statement up after its time, and its connection with it: what it still says is an answer to nobody.
    async fn bounded(
        &self,
        connection: &Connection,
        rows: impl Future<Output = std::result::Result<Vec<Row>, tokio_postgres::Error>>,
    ) -> Result<Vec<Row>> {
        match tokio::time::timeout(self.statement_timeout, rows).await {
            Ok(rows) => Ok(rows?),
            Err(_) => {
                connection.spoil();
                let seconds = self.statement_timeout.as_secs_f32();
                Err(StoreError::Unavailable(format!("no answer to a statement within {seconds} s")))
            }
        }
    }

    /// Like [`Self::rows`], for a statement with one row at most.
    pub(super) async fn row(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Like [`Self::rows`], for a statement that is put together and seldom comes again: it is not prepared.
    pub(super) async fn rows_once(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let connection = self.get().await?;
        self.bounded(&connection, connection.rows_once(sql, params)).await
    }

    /// Makes a connection, to hear of a mistake in the settings and of a schema that does not fit.
    pub(super) async fn check(&self) -> std::result::Result<(), ConnectError> {
        match self.connections.get().await {
            Ok(connection) => schema::check(&connection).await,
            Err(PoolError::Backend(error)) => Err(error),
            Err(error) => Err(ConnectError::Unreachable(error.to_string())),
        }
    }

    /// How it stands.
    pub(super) fn stats(&self) -> PoolStats {
        let status = self.connections.status();
        PoolStats {
            limit: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Ends its connections, those in use when they are given back.
    pub(super) fn close(&self) {
        self.connections.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::time::Instant;

    use agenticai_testkit::servers::postgres;

    use super::*;

    /// A pool of one connection to an empty database.
    async fn pool(change: impl FnOnce(&mut PostgresOptions)) -> Pool {
        let mut options = PostgresOptions::new(postgres::database().await.unwrap().url);
        change(&mut options);
        Pool::new(Arc::new(options), 1)
    }

    fn unavailable(result: Result<impl Sized>) -> String {
        match result {
            Err(StoreError::Unavailable(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it succeeded"),
        }
    }

    #[tokio::test]
    async fn an_exhausted_pool_keeps_nobody_waiting_for_ever() {
        let pool = pool(|options| options.acquire_timeout = Duration::from_millis(200)).await;
        let held = pool.get().await.unwrap();
        let began = Instant::now();
        let why = unavailable(pool.rows("SELECT 1", &[]).await);
        assert!(why.contains("within the time allowed"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(pool.stats(), PoolStats { limit: 1, open: 1, idle: 0, waiting: 0 });
        drop(held);
        pool.rows("SELECT 1", &[]).await.unwrap();
        assert_eq!(pool.stats().idle, 1);
    }

    #[tokio::test]
    async fn a_statement_without_an_answer_is_given_up_with_its_connection() {
        let pool = pool(|options| options.statement_timeout = Duration::from_millis(300)).await;
        let why = unavailable(pool.rows("SELECT pg_sleep(60)", &[]).await);
        assert!(why.contains("0.3 s"), "{why}");
        pool.rows("SELECT 1", &[]).await.unwrap();
    }

    #[tokio::test]
    async fn broken_and_demoted_connections_are_replaced() {
        let pool = pool(|_| {}).await;
        pool.get().await.unwrap().script("CREATE TABLE t (x int)").await.unwrap();
        pool.rows("SET default_transaction_read_only = on", &[]).await.unwrap();
        let why = unavailable(pool.rows("INSERT INTO t VALUES (1)", &[]).await);
        assert!(why.contains("25006"), "{why}");
        pool.rows("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        unavailable(pool.rows("SELECT pg_terminate_backend(pg_backend_pid())", &[]).await);
        pool.rows("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    }
}
