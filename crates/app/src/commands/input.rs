//! What a task is asked, as people type it.

use std::io::{IsTerminal, Read};

use agenticai_domain::task::TaskInput;
use serde_json::Value;

use crate::exit::{Failure, Result};

/// Reads a prompt, or an input as JSON; `-` is standard input. `example` is shown where there is nothing.
pub fn read(prompt: Option<&str>, json: Option<&str>, example: &str) -> Result<TaskInput> {
    if let Some(json) = json {
        let text = if json == "-" { read_stdin()? } else { json.to_owned() };
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::usage(format!("--input is no JSON: {error}")))?;
        return serde_path_to_error::deserialize(value).map_err(|error| {
            Failure::usage(format!(
                "--input is a text, an object of arguments, or a list of messages: {}",
                error.inner()
            ))
        });
    }
    let text = match prompt {
        Some("-") => read_stdin()?,
        Some(prompt) => prompt.to_owned(),
        None if !std::io::stdin().is_terminal() => read_stdin()?,
        None => String::new(),
    };
    if text.trim().is_empty() {
        return Err(Failure::usage(format!("what shall be asked? {example}")));
    }
    Ok(TaskInput::Text(text))
}

/// The two halves of `KEY=VALUE`.
pub fn metadata(pair: &str) -> Result<(&str, &str)> {
    pair.split_once('=').ok_or_else(|| Failure::usage(format!("`{pair}` is no metadata: write KEY=VALUE")))
}

fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(text)
}
