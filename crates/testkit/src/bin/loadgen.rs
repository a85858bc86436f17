//! `loadgen`: submits N requests over HTTP at a fixed concurrency, then waits until all of them are counted as done.
//! Prints one JSON line. Loopback addresses only; every loop is bounded.

use std::time::Duration;

use agenticai_testkit::load::{CountQuery, Counted, Load, run};
use clap::Parser;

/// In every text `{tag}` is `<prefix>-<number>`, `{i}` the number and `{prefix}` the prefix.
#[derive(Parser)]
struct Args {
    /// How many requests.
    #[arg(long, default_value_t = 1000)]
    n: u64,
    /// How many at the same time.
    #[arg(long, default_value_t = 64)]
    concurrency: u64,
    /// Tells runs apart.
    #[arg(long, default_value = "b")]
    prefix: String,
    /// Where to.
    #[arg(long)]
    url: String,
    #[arg(long, default_value = "POST")]
    /// How.
    method: String,
    /// JSON body.
    #[arg(long, default_value = "")]
    body: String,
    /// `name: value`; may be given several times.
    #[arg(long)]
    header: Vec<String>,
    /// Asked until its number reaches what was accepted.
    #[arg(long)]
    count_url: Option<String>,
    /// The JSON field of the number.
    #[arg(long, default_value = "done")]
    count_field: String,
    /// A body for it makes it a POST.
    #[arg(long, default_value = "")]
    count_body: String,
    /// Bound on the whole run.
    #[arg(long, default_value_t = 300)]
    timeout_s: u64,
    /// The shortest pause between two counts.
    #[arg(long, default_value_t = 50)]
    poll_ms: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let header = |text: String| -> anyhow::Result<(String, String)> {
        let (name, value) =
            text.split_once(':').ok_or_else(|| anyhow::anyhow!("`{text}` is no `name: value`"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    let load = Load {
        n: args.n,
        concurrency: args.concurrency,
        prefix: args.prefix,
        method: args.method,
        url: args.url,
        headers: args.header.into_iter().map(header).collect::<anyhow::Result<_>>()?,
        body: args.body,
        timeout: Duration::from_secs(args.timeout_s),
        count: args.count_url.map(|url| CountQuery {
            url,
            field: args.count_field,
            body: args.count_body,
            counted: Counted::Done,
            every: Duration::from_millis(args.poll_ms),
        }),
    };
    println!("{}", serde_json::to_string(&run(&load).await?)?);
    Ok(())
}
