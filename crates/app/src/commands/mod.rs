//! Commands, one per file, and what all of them share.

pub mod admin;
pub mod agent;
pub mod budget;
pub mod completions;
pub mod config;
mod dialogue;
pub mod doctor;
mod finish;
mod follow;
pub mod health;
mod input;
pub mod migrate;
pub mod run;
pub mod schedule;
pub mod task;
pub mod thread;
pub mod up;
pub mod usage;

use std::io::IsTerminal;

use crate::cli::{Cli, Command, Global, When};
use crate::cluster::{self, Role};
use crate::config::{self as configuration, Loaded};
use crate::exit::{Failure, Result};
use crate::home::Home;
use crate::render::Style;

/// What every command is given.
pub struct Context {
    /// Options of every command.
    pub global: Global,
    /// The configuration.
    pub loaded: Loaded,
    /// The data directory.
    pub home: Home,
    /// How to write on standard output.
    pub out: Style,
    /// How to write on standard error.
    pub err: Style,
}

/// Does what was typed.
pub async fn perform(cli: Cli) -> Result {
    let context = match &cli.command {
        // These two say something useful about a configuration with mistakes, or need none.
        Command::Completions { shell } => return completions::perform(*shell),
        Command::Config(crate::cli::Config::Default) => return config::default(),
        Command::Doctor => return doctor::perform(cli).await,
        _ => Context::new(&cli)?,
    };
    match cli.command {
        Command::Up(_) => up::perform(&context).await,
        Command::Api(_) => cluster::run(&context, Role::Api).await,
        Command::Worker(worker) => match worker.suspects.clone() {
            Some(name) => cluster::suspects(&context, name, worker.isolation).await,
            None => cluster::run(&context, Role::Worker).await,
        },
        Command::Scheduler(_) => cluster::run(&context, Role::Scheduler).await,
        Command::Migrate(args) => migrate::perform(&context, args).await,
        Command::Admin(args) => admin::perform(&context, args).await,
        Command::Health(args) => health::perform(&context, &args).await,
        Command::Run(args) => run::perform(&context, args).await,
        Command::Agent(args) => agent::perform(&context, args).await,
        Command::Task(args) => task::perform(&context, args).await,
        Command::Schedule(args) => schedule::perform(&context, args).await,
        Command::Thread(args) => thread::perform(&context, args).await,
        Command::Usage(args) => usage::perform(&context, args).await,
        Command::Budget(args) => budget::perform(&context, args).await,
        Command::Config(crate::cli::Config::Show) => config::show(&context),
        Command::Config(_) | Command::Completions { .. } | Command::Doctor => Ok(crate::exit::Exit::Ok),
    }
}

impl Context {
    /// Reads the configuration.
    pub fn new(cli: &Cli) -> Result<Self> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let file = cli.global.config.clone().filter(|path| !path.as_os_str().is_empty());
        let loaded = configuration::load(cli.settings(), environment, file)
            .map_err(|mistakes| Failure::usage(mistakes.to_string()))?;
        let home = Home::at(&loaded.settings.data_dir);
        Ok(Self {
            home,
            loaded,
            out: style(&cli.global, std::io::stdout().is_terminal()),
            err: style(&cli.global, std::io::stderr().is_terminal()),
            global: cli.global.clone(),
        })
    }

    /// The address that the user named.
    pub fn url(&self) -> Option<&str> {
        self.global.url.as_deref().filter(|url| !url.trim().is_empty())
    }

    /// The address where a server of this configuration is found.
    pub fn usual_url(&self) -> String {
        match self.loaded.settings.server.port {
            0 => "http://localhost:8000".to_owned(),
            port => format!("http://localhost:{port}"),
        }
    }

    /// The key that the user named.
    pub fn named_key(&self) -> Result<Option<String>> {
        if let Some(key) = self.global.api_key.as_deref().map(str::trim).filter(|key| !key.is_empty()) {
            return Ok(Some(key.to_owned()));
        }
        let Some(file) = self.global.api_key_file.as_deref().filter(|file| !file.as_os_str().is_empty())
        else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("the key file {} cannot be read: {error}", file.display()))
        })?;
        Ok(Some(text.trim().to_owned()))
    }

    /// The key in the data directory.
    pub fn home_key(&self) -> Result<Option<String>> {
        self.home.key().map_err(|error| {
            Failure::usage(format!("the key file {} cannot be read: {error}", self.home.key_file().display()))
        })
    }

    /// The key for a server on this machine.
    pub fn key_for_local(&self) -> Result<Option<String>> {
        Ok(match self.named_key()? {
            Some(key) => Some(key),
            None => self.home_key()?,
        })
    }

    /// Prints one JSON document.
    pub fn print_json(&self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::failed(format!("the answer cannot be written as JSON: {error}")))?;
        crate::render::print(&text);
        Ok(())
    }
}

fn style(global: &Global, terminal: bool) -> Style {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style::new(match global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && !plain && !global.json,
    })
}
