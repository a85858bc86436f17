//! `${secret:NAME}`: resolved at the moment of a call, never journaled, logged or shown to a model.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where secrets come from: a file per secret in a directory, else the environment.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    dir: Option<PathBuf>,
}

/// Why a text with references could not be completed. It names the secret and never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The reference is not closed or its name does not fit.
    #[error(
        "`{0}` is no reference to a secret: write ${{secret:NAME}} with A-Z, a-z, 0-9, `_`, `-` and `.` in NAME"
    )]
    Malformed(String),
    /// There is no such secret.
    #[error("the secret `{0}` is not set: put it into the environment or the directory of secrets")]
    Missing(String),
}

const OPEN: &str = "${secret:";

impl Secrets {
    /// Reads files of `dir` first, where one is given.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir }
    }

    /// Replaces every reference in `text`.
    pub fn resolve(&self, text: &str) -> Result<String, SecretError> {
        let mut done = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            done.push_str(&rest[..at]);
            let after = &rest[at + OPEN.len()..];
            let end = after
                .find('}')
                .ok_or_else(|| SecretError::Malformed(rest[at..].chars().take(40).collect()))?;
            done.push_str(&self.get(&after[..end])?);
            rest = &after[end + 1..];
        }
        done.push_str(rest);
        Ok(done)
    }

    /// Replaces every reference in the values of a map.
    pub fn resolve_map(
        &self,
        map: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, SecretError> {
        map.iter().map(|(name, value)| Ok((name.clone(), self.resolve(value)?))).collect()
    }

    fn get(&self, name: &str) -> Result<String, SecretError> {
        let fits = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !fits {
            return Err(SecretError::Malformed(format!("{OPEN}{name}}}")));
        }
        if let Some(dir) = &self.dir
            && let Ok(text) = std::fs::read_to_string(dir.join(name))
        {
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        std::env::var(name).map_err(|_| SecretError::Missing(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_bad_ones_named() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("TOKEN"), "s3cret\n")?;
        let secrets = Secrets::new(Some(dir.path().to_owned()));
        assert_eq!(
            secrets.resolve("Bearer ${secret:TOKEN}, twice ${secret:TOKEN}")?,
            "Bearer s3cret, twice s3cret"
        );
        assert_eq!(secrets.resolve("${secret:NO_SUCH_ONE}"), Err(SecretError::Missing("NO_SUCH_ONE".into())));
        assert!(matches!(secrets.resolve("${secret:../etc/passwd}"), Err(SecretError::Malformed(_))));
        assert!(matches!(secrets.resolve("${secret:OPEN"), Err(SecretError::Malformed(_))));
        Ok(())
    }
}
