//! One connection: how it is made, and how statements are sent over it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::PostgresOptions;

/// A parameter with its type: the server is not asked for it.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The settings are no address of a database.
    #[error("the address of the database cannot be used: {0}")]
    Address(String),
    /// The server did not answer, or refused.
    #[error("the database cannot be reached: {0}")]
    Server(#[from] tokio_postgres::Error),
}

/// One connection with the statements that were prepared on it.
pub struct Connection {
    client: Client,
    unnamed: bool,
    prepared: Mutex<HashMap<String, Statement>>,
}

impl Connection {
    /// Connects.
    pub async fn open(options: &PostgresOptions) -> Result<Self, ConnectError> {
        let config: tokio_postgres::Config =
            options.url.parse().map_err(|e: tokio_postgres::Error| ConnectError::Address(e.to_string()))?;
        let (client, driver) = config.connect(NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        Ok(Self { client, unnamed: options.unnamed_statements, prepared: Mutex::default() })
    }

    /// Whether the server has gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Sends one statement, and answers its rows.
    pub async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, tokio_postgres::Error> {
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
        self.client.query_typed(sql, params).await
    }

    /// Sends a script of statements without parameters.
    pub async fn script(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }
}
