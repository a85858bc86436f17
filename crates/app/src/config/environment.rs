//! Environment variables beside the settings' own: those of other programs that are honoured, those that this version
//! does not use yet, and slips.

use super::layers::{Environment, env_name};
use super::source::did_you_mean;

/// Variables that have no setting in the file.
const OWN: [&str; 6] = [
    "AGENTICAI_CONFIG",
    "AGENTICAI_URL",
    "AGENTICAI_API_KEY",
    "AGENTICAI_API_KEY_FILE",
    "AGENTICAI_MODEL_URL",
    "AGENTICAI_MODEL_API_KEY",
];

/// Names that are reserved for what is to come.
const NOT_USED_YET: [&str; 2] = ["CHROMA_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// What should be said about the environment. Nothing here is a mistake: platforms put variables into every
/// environment (a Kubernetes service named `agenticai` makes `AGENTICAI_PORT`), and a start must not depend on it.
pub fn remarks(environment: &Environment, settings: &[&str]) -> Vec<String> {
    let mut remarks = Vec::new();
    let unused: Vec<&str> = NOT_USED_YET
        .into_iter()
        .filter(|name| environment.get(*name).is_some_and(|value| !value.is_empty()))
        .collect();
    if !unused.is_empty() {
        remarks.push(format!("not used by this version: {}", unused.join(", ")));
    }
    let known = known(settings);
    for name in unknown(environment, settings) {
        if let Some(meant) = did_you_mean(&name, known.iter().map(String::as_str)) {
            remarks.push(format!("the environment variable {name} means nothing; did you mean {meant}?"));
        }
    }
    remarks
}

/// Variables with this program's prefix that mean nothing to it: those that platforms set, and slips.
pub fn unknown(environment: &Environment, settings: &[&str]) -> Vec<String> {
    let known = known(settings);
    let ours = environment.keys().filter(|name| name.starts_with("AGENTICAI_"));
    ours.filter(|name| !known.contains(name)).cloned().collect()
}

fn known(settings: &[&str]) -> Vec<String> {
    settings.iter().map(|path| env_name(path)).chain(OWN.map(str::to_owned)).collect()
}
