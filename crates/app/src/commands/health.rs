//! `health`: asks a running process how it stands. An image without a shell has no other program that could ask.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

use super::Context;
use crate::cli;
use crate::client::{Client, Path};
use crate::exit::{Exit, Failure, Result};
use crate::render::print;

/// Bound on the answer: longer than the server gives its database to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is understood of an answer. The public port of `api` says no more than the first two.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Answer {
    status: String,
    service: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<String, String>,
}

/// Succeeds where the process is ready (with `--live`: where it runs).
pub async fn perform(context: &Context, args: &cli::Health) -> Result {
    let url = match (context.url(), context.loaded.settings.cluster.admin_port) {
        (Some(url), _) => url.to_owned(),
        (None, 0) => {
            return Err(Failure::usage(
                "cluster.admin_port is 0, so nobody knows the port: name it with --admin-port or --url",
            ));
        }
        (None, port) => format!("http://127.0.0.1:{port}"),
    };
    let client = Client::new(&url, None)?;
    let segments = ["health", if args.live { "live" } else { "ready" }];
    let asked = tokio::time::timeout(PATIENCE, client.look(Path::to(&segments))).await;
    let (status, body) = asked.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        Failure::new(Exit::Unreachable, format!("no answer from {} within {seconds} s", client.address()))
    })??;
    let answer = serde_json::from_slice(&body)
        .ok()
        .filter(|answer: &Answer| answer.service == "agenticai")
        .ok_or_else(|| {
        Failure::failed(format!("{} answered {status}, and not as agenticai does", client.address()))
    })?;
    if context.global.json {
        context.print_json(&answer)?;
    } else {
        print(&answer.in_words(args.live));
    }
    Ok(if status == StatusCode::OK { Exit::Ok } else { Exit::Failed })
}

impl Answer {
    /// One line, with what is wrong.
    fn in_words(&self, live: bool) -> String {
        if self.status == "ok" {
            return if live { "alive" } else { "ready" }.to_owned();
        }
        let wrong = self.checks.iter().filter(|(_, found)| *found != "ok");
        let wrong: Vec<String> = wrong.map(|(check, found)| format!("{check}: {found}")).collect();
        if wrong.is_empty() { "not ready".to_owned() } else { format!("not ready: {}", wrong.join("; ")) }
    }
}
