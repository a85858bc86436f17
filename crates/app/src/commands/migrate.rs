//! `migrate`: the schema of the database.

use serde_json::json;

use agenticai_store::postgres::schema::{MIGRATIONS, Mode, Patience, State, Status};

use super::Context;
use crate::cli::Migrate;
use crate::cluster::database::{Purpose, wait_for_connection};
use crate::exit::{Exit, Failure, Result};
use crate::node::start_logging;
use crate::render::{print, table};

/// Does what was asked.
pub async fn perform(context: &Context, migrate: Migrate) -> Result {
    start_logging(context, false);
    match migrate {
        Migrate::Up => up(context).await,
        Migrate::Status => status(context).await,
        Migrate::Plan => plan(context).await,
        Migrate::Contract => {
            print(
                "There is nothing to contract: no release has left anything behind that only older ones need.",
            );
            Ok(Exit::Ok)
        }
    }
}

async fn up(context: &Context) -> Result {
    let connection = wait_for_connection(context, Purpose::Migrate).await?;
    let applied = MIGRATIONS.up(&connection, Patience::default()).await.map_err(failed)?;
    if context.global.json {
        let names: Vec<&str> = applied.iter().map(|step| step.name.as_str()).collect();
        context.print_json(&json!({ "applied": names }))?;
    } else if applied.is_empty() {
        print("The schema is up to date.");
    } else {
        for step in &applied {
            print(&format!("{}  applied in {} ms", step.name, step.took.as_millis()));
        }
    }
    Ok(Exit::Ok)
}

/// Fails where something is to be done, so that scripts can ask.
async fn status(context: &Context) -> Result {
    let connection = wait_for_connection(context, Purpose::Migrate).await?;
    let statuses = MIGRATIONS.status(&connection).await.map_err(failed)?;
    let fits = MIGRATIONS.check(&connection).await.is_ok();
    if context.global.json {
        let steps: Vec<_> = statuses
            .iter()
            .map(|status| json!({ "version": status.version, "name": status.name, "state": word(status) }))
            .collect();
        context.print_json(&json!({ "fits": fits, "migrations": steps }))?;
    } else {
        let rows =
            statuses.iter().map(|status| vec![status.name.clone(), explain(status)]).collect::<Vec<_>>();
        table::lines(&["MIGRATION", "STATE"], &rows).iter().for_each(|line| print(line));
    }
    Ok(if fits { Exit::Ok } else { Exit::Failed })
}

fn word(status: &Status) -> &'static str {
    match status.state {
        State::Pending => "pending",
        State::Applied { .. } => "applied",
        State::Unfinished => "unfinished",
        State::Changed => "changed",
        State::NewerCompatible => "newer_compatible",
        State::NewerIncompatible => "newer_incompatible",
    }
}

fn explain(status: &Status) -> String {
    match status.state {
        State::Pending => "pending: `agenticai migrate up` applies it".to_owned(),
        State::Applied { at } => {
            let time =
                jiff::Timestamp::from_millisecond(at).map_or(String::new(), |time| format!(" {time:.0}"));
            format!("applied{time}")
        }
        State::Unfinished => "runs now, or failed half-way: `agenticai migrate up` goes on".to_owned(),
        State::Changed => "applied with other contents: this is not the program that made it".to_owned(),
        State::NewerCompatible => "of a newer program; this one may go on".to_owned(),
        State::NewerIncompatible => "of a newer program; this one may not go on".to_owned(),
    }
}

async fn plan(context: &Context) -> Result {
    let connection = wait_for_connection(context, Purpose::Migrate).await?;
    let plan = MIGRATIONS.plan(&connection).await.map_err(failed)?;
    if context.global.json {
        let steps: Vec<_> = plan
            .iter()
            .map(|step| {
                let locks: Vec<_> = step
                    .locks
                    .iter()
                    .map(|lock| {
                        let (statement, table) = (&lock.statement, &lock.table);
                        json!({ "statement": statement, "table": table, "lock": lock.mode.to_string() })
                    })
                    .collect();
                json!({ "version": step.version, "name": step.name, "in_transaction": step.in_transaction, "locks": locks })
            })
            .collect();
        context.print_json(&json!({ "pending": steps }))?;
        return Ok(Exit::Ok);
    }
    if plan.is_empty() {
        print("The schema is up to date.");
    }
    for step in &plan {
        let whole = if step.in_transaction { "one transaction" } else { "statement by statement" };
        print(&format!("{} ({whole}, waits a second at most for a lock and tries again)", step.name));
        for lock in &step.locks {
            let table = match lock.mode {
                Mode::None | Mode::Unknown => String::new(),
                _ => format!("{}: ", lock.table),
            };
            print(&format!("  {:<60}  {table}{}", lock.statement, lock.mode));
        }
    }
    Ok(Exit::Ok)
}

fn failed(error: agenticai_store::postgres::ConnectError) -> Failure {
    Failure::failed(error.to_string())
}
