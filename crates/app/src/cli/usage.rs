//! `usage` and its options.

use clap::Args;

/// `usage`
#[derive(Debug, Clone, Args)]
pub struct Usage {
    /// The first day or hour (RFC 3339) that counts [default: 30 days before --until]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// The first day or hour that does not count any more [default: now]
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// How sums are told apart: hour or day (UTC), agent, user, with commas between
    #[arg(long, value_name = "HOW", default_value = "day,agent")]
    pub by: String,
}
