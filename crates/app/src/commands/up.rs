//! `up`: serve until somebody says stop.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::client::{Client, Probe, probe};
use crate::exit::{Exit, Failure, Result};
use crate::node::{Node, Port, StartError, start_logging};
use crate::render::{note, print, program};
use crate::signals::StopSignals;

/// Serves.
pub async fn perform(context: &Context) -> Result {
    start_logging(context, false);
    // Before anything answers: a supervisor may say stop the moment that it sees a ready server.
    let mut stop = StopSignals::listen();
    let drain = context.loaded.settings.worker.drain;
    let mut node = match Node::start(context, Port::Configured, drain).await {
        Ok(node) => node,
        Err(error) => return Err(explain(context, error).await),
    };
    greet(context, &node)?;
    let broken = tokio::select! {
        () = stop.next() => None,
        failure = node.broken() => Some(failure),
    };
    let hurry = match broken {
        None => stop.into_hurry(),
        Some(_) => CancellationToken::new(),
    };
    if broken.is_none() {
        note(&format!(
            "stopping: steps in flight have {} s, then their tasks are handed back (once more: stop now)",
            drain.as_secs()
        ));
    }
    node.stop(hurry).await;
    broken.map_or(Ok(Exit::Ok), Err)
}

/// Says where it serves, from what, and what to type next. With `--json`: one document.
fn greet(context: &Context, node: &Node) -> Result<()> {
    let home = context.home.path();
    if context.global.json {
        return context.print_json(&json!({
            "url": node.url(),
            "pid": std::process::id(),
            "data_dir": home,
            "api_key_file": context.home.key_file(),
            "model": node.model(),
            "remarks": node.remarks(),
        }));
    }
    let (style, program) = (context.out, program());
    print(&format!(
        "{} {} serves at {}",
        style.bold("agenticai"),
        env!("CARGO_PKG_VERSION"),
        style.bold(node.url())
    ));
    print(&format!("  data    {} (the API key lies in api-key)", home.display()));
    print(&format!("  model   {}", node.model()));
    print(&format!("  docs    {}/docs", node.url()));
    for remark in node.remarks() {
        print(&style.warn(&format!("  note    {remark}")));
    }
    print("\nIn another terminal:");
    print(&format!("  {program} run \"What is 17% of 2,340? Use the calculator.\""));
    print(&format!("  {program} agent apply -f agent.yaml"));
    print(&format!("  {program} task list\n"));
    Ok(())
}

/// Where another server of the same directory is the reason, says which.
async fn explain(context: &Context, error: StartError) -> Failure {
    let failure = Failure::from(error);
    if let Some(server) = context.home.server()
        && let Ok(key) = context.home_key()
        && let Ok(client) = Client::new(&server.url, key)
        && probe(&client).await == Probe::Ours
    {
        return Failure::failed(format!(
            "a server of {} runs already at {} (process {}); use that, or end it first",
            context.home.path().display(),
            server.url,
            server.pid
        ));
    }
    failure
}
