//! The data directory as the command line sees it: the API key, and who serves from it right now.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::keys;

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
        keys::read(&self.key_file())
    }

    /// Stores an API key, readable by its owner alone.
    pub fn keep_key(&self, key: &str) -> io::Result<()> {
        keys::keep(&self.key_file(), key)
    }

    /// Who serves, as it said at its start. A process that was killed leaves its file behind: ask the address.
    pub fn server(&self) -> Option<ServerFile> {
        let text = fs::read(self.0.join("server.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Says who serves.
    pub fn keep_server(&self, server: &ServerFile) -> io::Result<()> {
        keys::replace(&self.0.join("server.json"), &serde_json::to_vec(server)?)
    }

    /// Takes back what [`Self::keep_server`] said.
    pub fn forget_server(&self) {
        // A file that stays behind is harmless: nobody answers at its address.
        let _ = fs::remove_file(self.0.join("server.json"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        assert_eq!(home.key().unwrap(), None);
        home.keep_key("ak_1").unwrap();
        home.keep_key("ak_2").unwrap();
        assert_eq!(home.key().unwrap().as_deref(), Some("ak_2"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&home.key_file()), 0o600);
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
