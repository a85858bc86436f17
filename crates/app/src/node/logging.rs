//! Logs: on standard error, for people or for machines.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::commands::Context;
use crate::config::{LogFormat, Source};

/// Starts logging. A `quiet` command (`run`, whose user looks at the steps) logs warnings only, unless its user chose
/// a level.
pub fn start(context: &Context, quiet: bool) {
    let log = &context.loaded.settings.log;
    let chosen = context.loaded.shown.iter().any(|s| s.path == "log.level" && s.source != Source::Default);
    let level = if quiet && !chosen { "warn" } else { log.level.as_str() };
    // The configuration was checked: this cannot fail, and would only log everything if it did.
    let targets: Targets = level.parse().unwrap_or_default();
    let layer = match log.format {
        LogFormat::Text => {
            fmt::layer().with_writer(std::io::stderr).with_ansi(context.err.has_colors()).boxed()
        }
        LogFormat::Json => {
            // Whoever reads the log reads one object a line; the usual message would be several lines of text.
            std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a fault in the program")));
            fmt::layer().json().with_writer(std::io::stderr).boxed()
        }
    };
    // A second start in one process keeps the first one's settings.
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
}
