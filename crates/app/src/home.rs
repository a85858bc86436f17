//! The data directory as the command line sees it: the API key, and who serves from it right now.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A data directory. Holding one says nothing about whether it exists.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

/// What a serving process says of itself, in `<data dir>/server.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFile {
    /// Where it listens.
    pub url: String,
    /// Its process id.
    pub pid: u32,
}

impl Home {
    /// The data directory at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file with the owner's API key.
    pub fn key_file(&self) -> PathBuf {
        self.0.join("api-key")
    }

    /// The owner's API key, if there is one.
    pub fn key(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(self.key_file()) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores an API key, readable by its owner alone.
    pub fn keep_key(&self, key: &str) -> io::Result<()> {
        replace(&self.key_file(), format!("{key}\n").as_bytes())
    }

    /// Creates the directory, for its owner alone.
    pub fn create(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)
    }

    /// Who serves, as it said at its start. A process that was killed leaves its file behind: ask the address.
    pub fn server(&self) -> Option<ServerFile> {
        let text = fs::read(self.0.join("server.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Says who serves.
    pub fn keep_server(&self, server: &ServerFile) -> io::Result<()> {
        replace(&self.0.join("server.json"), &serde_json::to_vec(server)?)
    }

    /// Takes back what [`Self::keep_server`] said.
    pub fn forget_server(&self) {
        // A file that stays behind is harmless: nobody answers at its address.
        let _ = fs::remove_file(self.0.join("server.json"));
    }
}

/// Replaces a file at once, so that a crash leaves the old one or the new one and never half of one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    // A leftover of a crash could have other permissions.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("deep").join("home"));
        assert_eq!(home.key().unwrap(), None);
        home.create().unwrap();
        home.keep_key("ak_1").unwrap();
        home.keep_key("ak_2").unwrap();
        assert_eq!(home.key().unwrap().as_deref(), Some("ak_2"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&home.key_file()), 0o600);
            assert_eq!(mode(home.path()), 0o700);
        }
    }

    #[test]
    fn the_server_is_remembered_until_it_says_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        assert_eq!(home.server(), None);
        let server = ServerFile { url: "http://localhost:1".into(), pid: 7 };
        home.keep_server(&server).unwrap();
        assert_eq!(home.server(), Some(server));
        home.forget_server();
        assert_eq!(home.server(), None);
    }
}
