//! The database of a cluster: its address for each purpose, and waiting for it.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use agenticai_agent::secrets::Secrets;
use agenticai_server::Standing;
use agenticai_store::postgres::{
    ConnectError, Connection, PasswordSource, PostgresOptions, PostgresStore, variables,
};

use super::Role;
use crate::commands::Context;
use crate::exit::{Failure, Result};

/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is said that the database is still missing.
const SAY: Duration = Duration::from_secs(5);

/// Whom a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A role.
    Role(Role),
    /// `migrate`, which changes the schema.
    Migrate,
    /// `admin` and `doctor`.
    Admin,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Role(role) => role.name(),
            Self::Migrate => "migrate",
            Self::Admin => "admin",
        }
    }
}

/// How the database is reached. A mistake in the settings is a [`crate::exit::Exit::Usage`].
pub fn options(context: &Context, purpose: Purpose) -> Result<PostgresOptions> {
    let settings = &context.loaded.settings;
    let database = &settings.database;
    let own = match purpose {
        Purpose::Role(Role::Api) => &database.api_url,
        Purpose::Role(Role::Worker) => &database.worker_url,
        Purpose::Role(Role::Scheduler) => &database.scheduler_url,
        Purpose::Migrate => &database.migrate_url,
        Purpose::Admin => &None,
    };
    let url = own.as_ref().or(database.url.as_ref()).map(String::as_str).unwrap_or_default();
    let url = Secrets::new(settings.secrets_dir.clone())
        .resolve(url)
        .map_err(|error| Failure::usage(format!("the address of the database: {error}")))?;
    let file = database.password_file.clone().map(PasswordSource::File);
    let options = PostgresOptions {
        variables: variables(&context.loaded.environment),
        password: file.or(database.password_command.clone().map(PasswordSource::Command)),
        application_name: format!("agenticai-{}", purpose.name()),
        connections: database.connections,
        acquire_timeout: database.acquire_timeout,
        connect_timeout: database.connect_timeout,
        statement_timeout: database.statement_timeout,
        blobs_directory: settings.blobs_dir.clone(),
        // Who gives migrations an address of their own leads them past the pooler.
        unnamed_statements: database.unnamed_statements
            && !(purpose == Purpose::Migrate && database.migrate_url.is_some()),
        ..PostgresOptions::new(url)
    };
    options.check().map_err(|error| Failure::usage(error.to_string()))?;
    Ok(options)
}

/// The store, as soon as the database answers and its schema fits. `None` where `stop` comes first.
pub async fn wait_for_store(
    context: &Context,
    role: Role,
    standing: &Standing,
    stop: &CancellationToken,
) -> Result<Option<PostgresStore>> {
    let options = options(context, Purpose::Role(role))?;
    let open = async || PostgresStore::connect(options.clone()).await;
    wait(context, Some(standing), stop, open).await
}

/// A connection to a database that may be starting, for commands that are run once.
pub async fn wait_for_connection(context: &Context, purpose: Purpose) -> Result<Connection> {
    let options = options(context, purpose)?;
    let connected =
        wait(context, None, &CancellationToken::new(), async || Connection::open(&options).await).await?;
    connected.ok_or_else(|| Failure::failed("stopped"))
}

/// Tries until it succeeds, cannot succeed, or has taken too long.
async fn wait<T>(
    context: &Context,
    standing: Option<&Standing>,
    stop: &CancellationToken,
    open: impl AsyncFn() -> std::result::Result<T, ConnectError>,
) -> Result<Option<T>> {
    let patience = context.loaded.settings.cluster.startup_timeout;
    let began = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        let Some(opened) = stop.run_until_cancelled(open()).await else { return Ok(None) };
        let error = match opened {
            Ok(opened) => return Ok(Some(opened)),
            Err(error) if error.is_final() => return Err(Failure::usage(error.to_string())),
            Err(error) => error,
        };
        if began.elapsed() >= patience {
            return Err(Failure::failed(format!(
                "gave up after {} s (cluster.startup_timeout_seconds): {error}",
                patience.as_secs()
            )));
        }
        if said.is_none_or(|said| said.elapsed() >= SAY) {
            tracing::warn!("waiting for the database: {error}");
            said = Some(Instant::now());
        }
        if let Some(standing) = standing {
            standing.waits_for(format!("waits for the database: {error}"));
        }
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return Ok(None);
        }
    }
}
