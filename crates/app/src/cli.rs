//! The command line: what can be typed. What it does stands in [`crate::commands`], one command per file.

mod admin;
mod budget;
mod schedule;
mod thread;
mod usage;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::thread::IfActive;
use agenticai_store::Isolation;

use crate::config::FlagValue;
use crate::exit;

pub use admin::{Admin, NewOwner, Paused, Tenant};
pub use budget::{Budget, CreateBudget};
pub use schedule::{CreateSchedule, Schedule};
pub use thread::Thread;
pub use usage::Usage;

/// Durable LLM agents: one binary that runs them, keeps their journals and goes on after every crash.
#[derive(Debug, Parser)]
#[command(name = "agenticai", version, after_help = exit::HELP)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Address of the server [default: the one of the data directory, else http://localhost:8000]
    #[arg(long, global = true, env = "AGENTICAI_URL", value_name = "URL")]
    pub url: Option<String>,
    /// API key [default: the file api-key in the data directory, for a server on this machine]
    #[arg(long, global = true, env = "AGENTICAI_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub api_key: Option<String>,
    /// File with the API key
    #[arg(long, global = true, env = "AGENTICAI_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Configuration file [default: ~/.config/agenticai/agenticai.toml, if it exists]
    #[arg(long, global = true, env = "AGENTICAI_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of database, blobs and API key
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Print one JSON document (`task watch`: one line per event) instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours; `auto` heeds NO_COLOR and whether a terminal reads
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: When,
}

/// When to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum When {
    /// Where a terminal reads.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve API, worker and storage in this process, on this machine alone
    Up(Up),
    /// Serve the HTTP API of a cluster
    Api(Api),
    /// Advance the tasks of a cluster
    Worker(Worker),
    /// Do what has its time in a cluster
    Scheduler(Scheduler),
    /// Make and change the tables of a cluster's database
    #[command(subcommand)]
    Migrate(Migrate),
    /// Make the tenants of a cluster, and put it to rights after a restore
    #[command(subcommand)]
    Admin(Admin),
    /// Run one task and show its steps and its answer
    Run(Run),
    /// Apply, list, show and delete agents
    #[command(subcommand)]
    Agent(Agent),
    /// List, watch and steer tasks
    #[command(subcommand)]
    Task(Task),
    /// Create, list and steer schedules, which create tasks by the clock
    #[command(subcommand)]
    Schedule(Schedule),
    /// Create, list, show and delete threads, whose tasks run one after another
    #[command(subcommand)]
    Thread(Thread),
    /// Create, list, show, change and delete budgets, which bound what tasks spend together
    #[command(subcommand)]
    Budget(Budget),
    /// Sum up what tasks have consumed
    Usage(Usage),
    /// Check configuration, ports, keys, disk, clock and models, and say how to mend them
    Doctor,
    /// Ask a running process whether it is ready: a probe for containers, whose image has no other program
    Health(Health),
    /// Look at the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `up`
#[derive(Debug, Clone, Default, Args)]
pub struct Up {
    /// Port on the loopback addresses; 0 picks a free one [default: 8000]
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
}

/// `api`
#[derive(Debug, Clone, Default, Args)]
pub struct Api {
    /// Port of the API on all addresses; 0 picks a free one [default: 8000]
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// What every role has.
    #[command(flatten)]
    pub operators: Operators,
}

/// `worker`
#[derive(Debug, Clone, Default, Args)]
pub struct Worker {
    /// Tasks advanced at the same time [default: 1024]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<String>,
    /// Take only tasks that crash workers, under this name, and end when there are none
    #[arg(long, hide = true, value_name = "NAME")]
    pub suspects: Option<String>,
    /// How such tasks are tried: together, few or alone
    #[arg(long, hide = true, default_value = "alone", value_parser = schedule::one_of::<Isolation>)]
    pub isolation: Isolation,
    /// What every role has.
    #[command(flatten)]
    pub operators: Operators,
}

/// `scheduler`
#[derive(Debug, Clone, Default, Args)]
pub struct Scheduler {
    /// What every role has.
    #[command(flatten)]
    pub operators: Operators,
}

/// What every role has.
#[derive(Debug, Clone, Default, Args)]
pub struct Operators {
    /// Port of health and metrics on all addresses; 0 picks a free one [default: 9090]
    #[arg(long, value_name = "PORT")]
    pub admin_port: Option<String>,
}

/// `health`
#[derive(Debug, Clone, Default, Args)]
pub struct Health {
    /// Ask only whether it lives, not whether it is ready
    #[arg(long)]
    pub live: bool,
    /// Which process of this machine, where --url does not say.
    #[command(flatten)]
    pub operators: Operators,
}

/// `migrate`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Migrate {
    /// Apply what is pending; safe to run several times and from several places at once
    Up,
    /// List the migrations; fails where this program cannot work with the schema
    Status,
    /// Print what `up` would do, and what that locks
    Plan,
    /// Remove what only older releases need, once none of them runs any more
    Contract,
}

/// `run`
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// What to ask; `-` reads it from standard input
    #[arg(conflicts_with = "input")]
    pub prompt: Option<String>,
    /// Agent by name or id [default: the one of --file, else the built-in assistant]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Apply the agent in this YAML or JSON file, and run it
    #[arg(short, long, value_name = "FILE", conflicts_with = "agent")]
    pub file: Option<PathBuf>,
    /// The input as JSON: arguments of a tool agent, or messages; `-` reads it from standard input
    #[arg(long, value_name = "JSON")]
    pub input: Option<String>,
    /// End as soon as the task is accepted; needs a server that stays (`agenticai up`)
    #[arg(long)]
    pub no_wait: bool,
    /// Thread by name or id, whose tasks run one after another; a new name makes one
    #[arg(long, value_name = "NAME")]
    pub thread: Option<String>,
    /// What happens while another task of the thread is active: queue, reject, interrupt or replace [default: queue]
    #[arg(long, value_name = "HOW", value_parser = schedule::one_of::<IfActive>, requires = "thread")]
    pub if_active: Option<IfActive>,
    /// Input and output tokens that it may spend, together with the tasks that it calls
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// What it may cost in US dollars, together with the tasks that it calls
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<f64>,
}

/// `agent`
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// Store agents as new versions, and say what each of their tools may do
    Apply {
        /// YAML or JSON files, several documents each; `-` is standard input
        #[arg(short, long = "file", required = true, value_name = "FILE", num_args = 1..)]
        files: Vec<PathBuf>,
    },
    /// List agents
    List,
    /// Show an agent as YAML, with its resolved tools
    Show {
        /// Name or id
        agent: String,
        /// A version [default: the newest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Hide an agent and free its name; tasks that run it go on
    Delete {
        /// Name or id
        agent: String,
    },
}

/// `task`
#[derive(Debug, Subcommand)]
pub enum Task {
    /// List tasks, newest first
    List {
        /// Only with this status; several with commas
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
        /// Only of this agent
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Only with this metadata: KEY=VALUE
        #[arg(long, value_name = "KEY=VALUE")]
        metadata: Vec<String>,
        /// Only those that are paused because the database was restored to an earlier point
        #[arg(long)]
        paused: bool,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
        limit: u32,
        /// Go on where an earlier page ended
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show a task, its journal, or the exact request of one of its model calls
    Show {
        /// The task
        id: TaskId,
        /// Only this step: a turn (`3`) or a call of a turn (`3.0`)
        #[arg(long, value_name = "STEP")]
        step: Option<StepId>,
        /// With --step: the request body that was sent to the model, byte for byte, checked against the journal
        #[arg(long, requires = "step", conflicts_with = "journal")]
        request: bool,
        /// The whole journal
        #[arg(long)]
        journal: bool,
    },
    /// Follow a task until it ends
    Watch {
        /// The task
        id: TaskId,
    },
    /// Cancel a task and its children
    Cancel {
        /// The task
        id: TaskId,
    },
    /// Answer what a task waits for: an approval, a question, or an event
    Signal(Signal),
    /// Say what became of a call whose outcome is unknown
    Resolve(Resolve),
}

/// `task signal`
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Signal {
    /// The task
    pub id: TaskId,
    /// The step that waits
    #[arg(long, value_name = "STEP", required_unless_present = "event", conflicts_with = "event")]
    pub step: Option<StepId>,
    /// Approve the call
    #[arg(long, group = "what")]
    pub approve: bool,
    /// Approve the call with other arguments
    #[arg(long, group = "what", value_name = "JSON")]
    pub edit: Option<String>,
    /// Reject the call; the reason is told to the model
    #[arg(long, group = "what", value_name = "REASON", num_args = 0..=1, default_missing_value = "")]
    pub reject: Option<String>,
    /// Answer a question: JSON, or a plain text
    #[arg(long, group = "what", value_name = "VALUE")]
    pub value: Option<String>,
    /// Send a named event
    #[arg(long, group = "what", value_name = "NAME")]
    pub event: Option<String>,
    /// With --event: what it says
    #[arg(long, requires = "event", value_name = "JSON")]
    pub payload: Option<String>,
}

/// `task resolve`
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("outcome").required(true))]
pub struct Resolve {
    /// The task
    pub id: TaskId,
    /// The step that waits
    #[arg(long, value_name = "STEP")]
    pub step: StepId,
    /// It happened; optionally what the tool answered (JSON, or a plain text)
    #[arg(long, group = "outcome", value_name = "RESULT", num_args = 0..=1, default_missing_value = "null")]
    pub done: Option<String>,
    /// It did not happen: send it again
    #[arg(long, group = "outcome")]
    pub not_done: bool,
    /// End the task
    #[arg(long, group = "outcome")]
    pub cancel: bool,
}

/// `config`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print every setting with the place that it came from; secrets are hidden
    Show,
    /// Print the commented default file, which is the manual of all settings
    Default,
}

impl Cli {
    /// Flags that are settings.
    pub fn settings(&self) -> Vec<FlagValue> {
        let mut flags = Vec::new();
        if let Some(dir) = &self.global.data_dir {
            flags.push(FlagValue { path: "data_dir", flag: "--data-dir", value: dir.clone() });
        }
        let mut flag = |path, flag, value: &Option<String>| {
            flags.extend(value.iter().map(|value| FlagValue { path, flag, value: value.clone() }));
        };
        let operators = match &self.command {
            Command::Up(up) => {
                flag("server.port", "--port", &up.port);
                None
            }
            Command::Api(api) => {
                flag("server.port", "--port", &api.port);
                Some(&api.operators)
            }
            Command::Worker(worker) => {
                flag("worker.concurrency", "--concurrency", &worker.concurrency);
                Some(&worker.operators)
            }
            Command::Scheduler(scheduler) => Some(&scheduler.operators),
            Command::Health(health) => Some(&health.operators),
            _ => None,
        };
        if let Some(operators) = operators {
            flag("cluster.admin_port", "--admin-port", &operators.admin_port);
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("agenticai").chain(line.split_whitespace()))
    }

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_behind_the_command() {
        for line in ["up --port 9000 --data-dir /d --json", "--json --data-dir /d up --port 9000"] {
            let cli = parse(line).unwrap();
            assert!(cli.global.json, "{line}");
            let paths: Vec<&str> = cli.settings().iter().map(|f| f.path).collect();
            assert_eq!(paths, ["data_dir", "server.port"], "{line}");
        }
    }

    #[test]
    fn a_signal_says_exactly_one_thing() {
        for good in [
            "--step 2.0 --approve",
            "--step 2.0 --reject",
            "--step 2.0 --value 7",
            "--event paid --payload {}",
        ] {
            parse(&format!("task signal {ID} {good}")).unwrap();
        }
        for bad in [
            "--step 2.0",
            "--approve",
            "--step 2.0 --approve --value 7",
            "--step 1.0 --event x",
            "--step x --approve",
        ] {
            assert!(parse(&format!("task signal {ID} {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_resolution_says_exactly_one_thing() {
        parse(&format!("task resolve {ID} --step 1.0 --done")).unwrap();
        assert!(parse(&format!("task resolve {ID} --step 1.0 --done --cancel")).is_err());
        assert!(parse(&format!("task resolve {ID} --step 1.0")).is_err());
        assert!(parse(&format!("task resolve {ID} --cancel")).is_err());
    }

    #[test]
    fn a_request_needs_its_step() {
        parse(&format!("task show {ID} --step 2 --request")).unwrap();
        assert!(parse(&format!("task show {ID} --request")).is_err());
    }
}
