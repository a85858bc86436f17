//! `schedule` and its options.

use clap::{Args, Subcommand};

use agenticai_domain::schedule::{CatchUp, Overlap};

/// `schedule`
#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// Create a schedule
    Create(CreateSchedule),
    /// List schedules
    List,
    /// Show a schedule, its newest firings and its next times
    Show {
        /// Name or id
        schedule: String,
        /// How many firings at most
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
        firings: u32,
    },
    /// Pass over a schedule's times until it is resumed; its tasks go on
    Pause {
        /// Name or id
        schedule: String,
    },
    /// Let a schedule fire again, from now on
    Resume {
        /// Name or id
        schedule: String,
    },
    /// Fire a schedule now, beside its times
    Trigger {
        /// Name or id
        schedule: String,
    },
    /// Remove a schedule; its tasks go on
    Delete {
        /// Name or id
        schedule: String,
    },
    /// Show the next times of a schedule
    Next {
        /// Name or id
        schedule: String,
        /// How many
        #[arg(short, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
        n: u32,
    },
}

/// `schedule create`
#[derive(Debug, Clone, Args)]
pub struct CreateSchedule {
    /// Its name
    pub name: String,
    /// What each task is asked; `-` reads it from standard input
    #[arg(conflicts_with = "input")]
    pub prompt: Option<String>,
    /// When: minute, hour, day, month, weekday (seconds before them if wanted), as in '0 9 * * MON-FRI'
    #[arg(long, value_name = "CRON")]
    pub cron: String,
    /// Agent by name or id
    #[arg(long, value_name = "NAME")]
    pub agent: String,
    /// A version of the agent [default: the newest whenever it fires]
    #[arg(long, value_name = "N")]
    pub agent_version: Option<u32>,
    /// The input as JSON: arguments of a tool agent, or messages; `-` reads it from standard input
    #[arg(long, value_name = "JSON")]
    pub input: Option<String>,
    /// IANA name of the time zone [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// What happens while the task before has not ended: skip, queue or replace [default: skip]
    #[arg(long, value_name = "HOW", value_parser = one_of::<Overlap>)]
    pub overlap: Option<Overlap>,
    /// What is made up for after an outage: none, one or all (the newest 100) [default: one]
    #[arg(long, value_name = "WHAT", value_parser = one_of::<CatchUp>)]
    pub catch_up: Option<CatchUp>,
    /// Do not make up for what is older [default: 86400]
    #[arg(long, value_name = "SECONDS")]
    pub catch_up_window: Option<u64>,
    /// 1 to 10, 10 most urgent [default: 5]
    #[arg(long, value_name = "N")]
    pub priority: Option<u8>,
    /// From a task's creation to its end
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Metadata of each task: KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
    /// Create it paused
    #[arg(long)]
    pub paused: bool,
}

/// A word of the API as an argument.
pub(super) fn one_of<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser;

    use crate::cli::Cli;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("agenticai").chain(line.split_whitespace()))
    }

    #[test]
    fn a_schedule_takes_the_words_of_the_api() {
        let line = "schedule create n --cron @daily --agent a";
        for good in
            ["", " do", " --overlap replace --catch-up all", " --input {} --metadata a=b --metadata c=d"]
        {
            parse(&format!("{line}{good}")).unwrap();
        }
        for bad in [" --overlap stack", " --catch-up some", " do --input {}", " --priority high"] {
            assert!(parse(&format!("{line}{bad}")).is_err(), "{bad}");
        }
        let refused = parse(&format!("{line} --overlap stack")).unwrap_err().to_string();
        assert!(refused.contains("`queue`"), "{refused}");
        assert!(parse("schedule next n -n 0").is_err());
    }
}
