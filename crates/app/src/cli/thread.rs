//! `thread` and its options.

use clap::Subcommand;

/// `thread`
#[derive(Debug, Subcommand)]
pub enum Thread {
    /// Create a thread, whose tasks run one after another
    Create {
        /// Its name [default: it is known by its id alone]
        name: Option<String>,
    },
    /// List threads
    List,
    /// Show a thread and its tasks
    Show {
        /// Name or id
        thread: String,
        /// How many tasks at most, newest first
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
        tasks: u32,
    },
    /// Remove a thread whose tasks have ended; the tasks stay
    Delete {
        /// Name or id
        thread: String,
    },
}
