//! `admin restored` and `admin release`: a database that was restored to an earlier point.

use serde_json::json;

use agenticai_store::postgres::PostgresStore;
use agenticai_store::sqlite::{SqliteOptions, SqliteStore};
use agenticai_store::{Maintenance, PausedTasks, Result as StoreResult};

use crate::cli::Paused;
use crate::cluster::database::{Purpose, options};
use crate::commands::Context;
use crate::exit::{Exit, Failure, Result};
use crate::render::print;

/// A store that is worked on while nobody else has to answer for it.
enum Opened {
    Cluster(PostgresStore),
    Local(SqliteStore),
}

impl Opened {
    /// Opens a cluster's store, or that of the data directory.
    async fn open(context: &Context, local: bool) -> Result<Self> {
        if local {
            let options = SqliteOptions::new(context.home.path());
            return SqliteStore::open(options)
                .map(Self::Local)
                .map_err(|error| Failure::failed(error.to_string()));
        }
        let store = PostgresStore::connect_to_administer(options(context, Purpose::Admin)?).await;
        store.map(Self::Cluster).map_err(|error| Failure::failed(error.to_string()))
    }

    fn store(&self) -> &dyn Maintenance {
        match self {
            Self::Cluster(store) => store,
            Self::Local(store) => store,
        }
    }

    async fn close(self) -> Result<()> {
        match self {
            Self::Cluster(store) => {
                store.close();
                Ok(())
            }
            Self::Local(store) => stored(store.close().await),
        }
    }
}

/// Declares that the database was restored to an earlier point, or that it is a copy which is `complete`.
pub async fn declare(context: &Context, complete: bool, local: bool) -> Result {
    let opened = Opened::open(context, local).await?;
    let paused = match &opened {
        Opened::Cluster(store) if complete => match stored(store.accept_copy().await)? {
            true => 0,
            false => {
                return Err(Failure::failed(
                    "the copy is not complete: a worker has found that something is missing which had been committed; \
                     run `agenticai admin restored`",
                ));
            }
        },
        _ => stored(opened.store().declare_restored().await)?,
    };
    opened.close().await?;
    if context.global.json {
        context.print_json(&json!({ "paused": paused }))?;
        return Ok(Exit::Ok);
    }
    print(&format!("{paused} tasks are paused; processes may be started."));
    if paused > 0 {
        print("See them with `agenticai task list --paused`; let them go on with `agenticai admin release`.");
    }
    Ok(Exit::Ok)
}

/// Lets paused tasks go on.
pub async fn release(context: &Context, which: Paused) -> Result {
    let Paused { all: _, tenant, task, local } = which;
    let which = match (tenant, task) {
        (Some(name), _) => PausedTasks::Tenant(name),
        (None, Some(task)) => PausedTasks::One(task),
        (None, None) => PausedTasks::All,
    };
    let named = which != PausedTasks::All;
    let opened = Opened::open(context, local).await?;
    let released = stored(opened.store().release_paused(which).await)?;
    opened.close().await?;
    if context.global.json {
        context.print_json(&json!({ "released": released }))?;
    } else {
        print(&format!("{released} tasks go on."));
    }
    match released == 0 && named {
        true => Err(Failure::failed("nothing of that name is paused")),
        false => Ok(Exit::Ok),
    }
}

fn stored<T>(result: StoreResult<T>) -> Result<T> {
    result.map_err(|error| Failure::failed(format!("it cannot be stored: {error}; run it again")))
}
