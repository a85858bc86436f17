//! Configuration: raw layers (flags over environment over file over defaults), then resolved [`Settings`].
//!
//! Nothing is looked up twice and nothing is refused one at a time: a start that fails names every mistake, each with
//! the place where it stands.

mod cluster;
mod environment;
mod layers;
mod reader;
mod settings;
mod source;
mod tables;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use cluster::{Helper, Redis, Scheduler};
pub use layers::{DEFAULTS, Environment, FlagValue};
pub use reader::Shown;
pub use settings::{LogFormat, Settings};
pub use source::{Mistake, Mistakes, Source};
pub use tables::{Provider, ProviderDialect};

use layers::{Layers, usual_file};
use reader::Reader;

/// A configuration that was read without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// Every setting that has a value, with its source, in order of reading.
    pub shown: Vec<Shown>,
    /// What should be said at a start, though nothing is wrong.
    pub remarks: Vec<String>,
    /// Environment variables whose names begin with `AGENTICAI_` and that mean nothing.
    pub unknown: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// The environment that it was read in.
    pub environment: Environment,
}

/// Reads the configuration. `file` is the one that the user named; a file that was named must exist.
pub fn load(
    flags: Vec<FlagValue>,
    environment: Environment,
    file: Option<PathBuf>,
) -> Result<Loaded, Mistakes> {
    let named = file.is_some();
    let path = file.or_else(|| usual_file(&environment));
    let text = match path.as_deref().map(std::fs::read_to_string) {
        None => None,
        Some(Ok(text)) => Some(text),
        Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound && !named => None,
        Some(Err(error)) => {
            let path = std::sync::Arc::new(path.unwrap_or_default());
            let message = format!("cannot be read: {error}");
            return Err(Mistakes(vec![Mistake {
                source: Source::File { path, line: 1 },
                path: String::new(),
                message,
            }]));
        }
    };
    let file = path.as_deref().zip(text.as_deref());
    let mut mistakes = Vec::new();
    let layers = Layers::new(flags, environment.clone(), file, &mut mistakes);
    let mut reader = Reader::new(&layers, mistakes);
    let settings = Settings::read(&mut reader, &environment);
    let (mistakes, shown) = (reader.mistakes, reader.shown);
    if !mistakes.is_empty() {
        return Err(Mistakes(mistakes));
    }
    let known = known_settings();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let remarks = environment::remarks(&environment, &known);
    let unknown = environment::unknown(&environment, &known);
    Ok(Loaded { settings, shown, remarks, unknown, file: path.filter(|_| text.is_some()), environment })
}

/// The paths of all settings that have an environment variable.
fn known_settings() -> Vec<String> {
    let layers = Layers::default();
    let mut reader = Reader::new(&layers, Vec::new());
    Settings::read(&mut reader, &Environment::new());
    reader.into_known()
}
