//! Processes that are started for tasks that crash workers.

use async_trait::async_trait;
use tokio::process::Command;
use uuid::Uuid;

use agenticai_store::Isolation;
use agenticai_worker::Apart;

/// This program once more, as a worker with the same settings. It is not ended with this process: it holds tasks,
/// and ends by itself.
pub struct OwnProcess;

#[async_trait]
impl Apart for OwnProcess {
    async fn run(&self, isolation: Isolation) -> Result<Option<String>, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let name = format!("suspects-{}", Uuid::new_v4());
        let mut process = Command::new(program)
            .args(settings_of(std::env::args().skip(1)))
            .args(["--suspects", &name, "--isolation", isolation.as_str(), "--admin-port", "0"])
            .spawn()
            .map_err(|error| error.to_string())?;
        let name = named(&name, process.id().unwrap_or_default());
        let status = process.wait().await.map_err(|error| error.to_string())?;
        // A number is how it ends by itself; without one it was killed, be it by its own fault.
        Ok(status.code().is_none().then_some(name))
    }
}

/// The name of the worker that a process is: whoever looks after it has to find the process.
pub fn named(name: &str, process: u32) -> String {
    format!("{name}-{process}")
}

/// The arguments of this process without the port of its operators, which is taken.
fn settings_of(mut own: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    while let Some(argument) = own.next() {
        if argument == "--admin-port" {
            own.next();
        } else if !argument.starts_with("--admin-port=") {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command as Typed};

    #[test]
    fn a_process_is_told_how_it_tries_suspects() {
        for isolation in Isolation::ALL {
            let line = ["agenticai", "worker", "--suspects", "x", "--isolation", isolation.as_str()];
            let typed = Cli::try_parse_from(line).map(|cli| cli.command);
            let read = match &typed {
                Ok(Typed::Worker(worker)) => Some(worker.isolation),
                _ => None,
            };
            assert_eq!(read, Some(isolation));
        }
    }

    #[test]
    fn the_port_of_the_operators_is_left_out() {
        let own = ["worker", "--admin-port", "9091", "--concurrency", "3", "--admin-port=7"];
        let kept = settings_of(own.into_iter().map(str::to_owned));
        assert_eq!(kept, ["worker", "--concurrency", "3"]);
    }
}
