//! `doctor`: what could keep this installation from working, and how to mend it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::json;

use agenticai_store::postgres::{Connection, schema};

use super::Context;
use crate::cli::Cli;
use crate::client::{Client, Probe, http_client, probe};
use crate::cluster::database::{Purpose, options};
use crate::config::ProviderDialect;
use crate::exit::{Exit, Result};
use crate::node::{choose, models_of};
use crate::render::{Style, print};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    message: String,
}

fn check(check: &'static str, verdict: Verdict, message: impl Into<String>) -> Check {
    Check { check, verdict, message: message.into() }
}

/// Checks everything; fails if anything does.
pub async fn perform(cli: Cli) -> Result {
    let mut checks = Vec::new();
    let mut style = Style::new(false);
    match Context::new(&cli) {
        Err(failure) => checks.push(check("configuration", Verdict::Fail, failure.message)),
        Ok(context) => {
            style = context.out;
            let file =
                context.loaded.file.as_ref().map_or("no file".to_owned(), |file| file.display().to_string());
            checks.push(check(
                "configuration",
                Verdict::Ok,
                format!("{} settings, {file}", context.loaded.shown.len()),
            ));
            checks.extend(
                context
                    .loaded
                    .remarks
                    .iter()
                    .map(|remark| check("configuration", Verdict::Warn, remark.as_str())),
            );
            checks.push(data_dir(&context));
            checks.extend(disk(&context));
            checks.push(key_file(&context));
            checks.push(port(&context).await);
            checks.extend(database(&context).await);
            checks.extend(models(&context).await);
        }
    }
    checks.push(clock());
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    if cli.global.json {
        let document = json!({ "ok": !failed, "checks": checks });
        print(&document.to_string());
    } else {
        for line in &checks {
            let verdict = match line.verdict {
                Verdict::Ok => style.good("ok  "),
                Verdict::Warn => style.warn("warn"),
                Verdict::Fail => style.bad("fail"),
            };
            print(&format!("{verdict}  {:<13} {}", line.check, line.message.replace('\n', "\n      ")));
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

/// Whether files can be written and are safe from others.
fn data_dir(context: &Context) -> Check {
    let dir = context.home.path();
    let shown = dir.display();
    if !dir.exists() {
        return check("data", Verdict::Ok, format!("{shown} does not exist yet; the first start creates it"));
    }
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"agenticai").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Err(error) => {
            check("data", Verdict::Fail, format!("{shown} cannot be written ({error}): check owner and disk"))
        }
        Ok(()) if others_may_enter(dir) => {
            check("data", Verdict::Warn, format!("{shown} is open to other users: chmod 700 \"{shown}\""))
        }
        Ok(()) => check("data", Verdict::Ok, format!("{shown} can be written")),
    }
}

/// How much room is left where the database lies.
fn disk(context: &Context) -> Option<Check> {
    #[cfg(unix)]
    {
        let existing = context.home.path().ancestors().find(|dir| dir.exists())?;
        let stat = rustix::fs::statvfs(existing).ok()?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize) / (1 << 20);
        let message = format!("{free} MiB are free at {}", existing.display());
        Some(match free {
            0..100 => {
                check("disk", Verdict::Fail, format!("{message}: tasks cannot be accepted on a full disk"))
            }
            100..1024 => check("disk", Verdict::Warn, message),
            _ => check("disk", Verdict::Ok, message),
        })
    }
    #[cfg(not(unix))]
    {
        let _ = context;
        None
    }
}

fn key_file(context: &Context) -> Check {
    let file = context.home.key_file();
    let shown = file.display();
    match context.home.key() {
        Err(error) => check("key", Verdict::Fail, format!("{shown} cannot be read: {error}")),
        Ok(None) => {
            check("key", Verdict::Ok, format!("{shown} does not exist yet; the next start creates it"))
        }
        Ok(Some(_)) if others_may_enter(&file) => {
            check("key", Verdict::Fail, format!("{shown} can be read by other users: chmod 600 \"{shown}\""))
        }
        Ok(Some(_)) => check("key", Verdict::Ok, format!("{shown}, for its owner alone")),
    }
}

/// Whether group or others have any right.
fn others_may_enter(path: &std::path::Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether the database of a cluster answers and its schema fits; nothing where none is set.
async fn database(context: &Context) -> Option<Check> {
    context.loaded.settings.database.url.as_ref()?;
    let options = match options(context, Purpose::Admin) {
        Ok(options) => options,
        Err(failure) => return Some(check("database", Verdict::Fail, failure.message)),
    };
    let servers = options.servers();
    let checked = async { schema::check(&Connection::open(&options).await?).await };
    Some(match checked.await {
        Ok(()) => check("database", Verdict::Ok, format!("{servers} answers, and its schema fits")),
        Err(error) => check("database", Verdict::Fail, error.to_string()),
    })
}

/// Who has the port.
async fn port(context: &Context) -> Check {
    let url = context.home.server().map_or_else(|| context.usual_url(), |server| server.url);
    let usual = context.usual_url();
    let client = |url: &str| Client::new(url, context.key_for_local().ok().flatten());
    if let Ok(known) = client(&url)
        && probe(&known).await == Probe::Ours
    {
        return check("server", Verdict::Ok, format!("agenticai serves at {url}"));
    }
    let Ok(client) = client(&usual) else {
        return check("server", Verdict::Fail, format!("{usual} is no address"));
    };
    match probe(&client).await {
        Probe::Ours => check("server", Verdict::Ok, format!("agenticai serves at {usual}")),
        Probe::Nobody => {
            match std::net::TcpListener::bind(("127.0.0.1", context.loaded.settings.server.port)) {
                Ok(_) => check("server", Verdict::Ok, format!("no server runs; {usual} is free")),
                Err(error) => check(
                    "server",
                    Verdict::Warn,
                    format!("{usual} cannot be used ({error}): choose another --port"),
                ),
            }
        }
        Probe::OtherKey => check(
            "server",
            Verdict::Warn,
            format!("{usual} serves another data directory: name it with --data-dir"),
        ),
        Probe::Stranger => check(
            "server",
            Verdict::Warn,
            format!("another program listens at {usual}: choose another --port for `up`"),
        ),
    }
}

/// Which model would be used, and whether its provider answers.
async fn models(context: &Context) -> Vec<Check> {
    let settings = &context.loaded.settings;
    let choice = choose(settings, &context.loaded.environment).await;
    let verdict = if choice.practice { Verdict::Warn } else { Verdict::Ok };
    let mut checks = vec![check("model", verdict, format!("{} ({})", choice.model, choice.because))];
    for provider in &choice.providers {
        let line = format!("{} at {}", provider.name, provider.url);
        let answered = match provider.dialect {
            // Listing needs no key here to say whether anybody is there: a refusal is an answer too.
            ProviderDialect::OpenAi if provider.serves_any => {
                !models_of(&provider.url, None, Duration::from_secs(3)).await.is_empty()
            }
            _ => reachable(&provider.url).await,
        };
        checks.push(if answered {
            check("provider", Verdict::Ok, format!("{line} answers"))
        } else {
            check(
                "provider",
                Verdict::Warn,
                format!("{line} does not answer: check the address, the network and HTTPS_PROXY, or start the server"),
            )
        });
    }
    checks
}

/// Whether anybody answers HTTP at an address.
async fn reachable(url: &str) -> bool {
    const PATIENCE: Duration = Duration::from_secs(5);
    let Ok(address) = url::Url::parse(url) else { return false };
    match http_client(&address, PATIENCE) {
        Ok(client) => client.get(address).timeout(PATIENCE).send().await.is_ok(),
        Err(_) => false,
    }
}

/// A clock that is far off breaks TLS and makes deadlines meaningless. The program knows when it was made.
fn clock() -> Check {
    const MADE: u64 = 1_767_225_600; // 2026-01-01
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(now) if now.as_secs() >= MADE => {
            check("clock", Verdict::Ok, jiff::Timestamp::now().strftime("%F %T UTC").to_string())
        }
        _ => {
            check("clock", Verdict::Fail, "the clock is years behind: set it, or TLS and deadlines will fail")
        }
    }
}
