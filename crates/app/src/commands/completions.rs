//! `completions SHELL`

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::{Exit, Result};

/// Prints the script.
pub fn perform(shell: clap_complete::Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "agenticai", &mut script);
    crate::render::print(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Ok)
}
