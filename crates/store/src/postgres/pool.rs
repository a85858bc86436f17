//! Connections that are used again.

use std::sync::Arc;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use tokio_postgres::Row;

use super::connection::Param;
use super::{ConnectError, Connection, PostgresOptions};
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
pub(super) struct Pool(managed::Pool<Maker>);

impl Pool {
    /// Makes none yet.
    pub(super) fn new(options: Arc<PostgresOptions>, size: usize) -> Self {
        let timeouts = Timeouts {
            wait: Some(options.acquire_timeout),
            create: Some(options.acquire_timeout),
            recycle: None,
        };
        let config = managed::PoolConfig { max_size: size.max(1), timeouts, ..Default::default() };
        let builder = managed::Pool::builder(Maker(options)).config(config);
        #[allow(clippy::expect_used)] // It fails only where time-outs are given without a runtime.
        Self(builder.runtime(deadpool::Runtime::Tokio1).build().expect("a runtime is named"))
    }

    /// A connection.
    pub(super) async fn get(&self) -> Result<Object<Maker>> {
        self.0.get().await.map_err(|error| {
            StoreError::Unavailable(match error {
                PoolError::Timeout(_) => "no connection to the database within the time allowed".to_owned(),
                other => other.to_string(),
            })
        })
    }

    /// Sends one statement on a connection of the pool.
    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        Ok(self.get().await?.rows(sql, params).await?)
    }

    /// Like [`Self::rows`], for a statement with one row at most.
    pub(super) async fn row(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Like [`Self::rows`], for a statement that is put together and seldom comes again: it is not prepared.
    pub(super) async fn rows_once(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        Ok(self.get().await?.rows_once(sql, params).await?)
    }

    /// Makes a connection, to hear of a mistake in the settings.
    pub(super) async fn open_one(&self) -> std::result::Result<(), ConnectError> {
        match self.0.get().await {
            Ok(_) => Ok(()),
            Err(PoolError::Backend(error)) => Err(error),
            Err(error) => Err(ConnectError::Address(error.to_string())),
        }
    }

    /// Closes all connections that nobody uses, and the others once they are handed back.
    pub(super) fn close(&self) {
        self.0.close();
    }
}
