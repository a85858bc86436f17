//! API keys: made here, kept in a file for their owner alone, stored as a hash.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use sha2::{Digest, Sha256};

use agenticai_store::KeyHash;

/// 244 random bits from the operating system.
pub fn new_key() -> String {
    let mut key = String::from("ak_");
    for _ in 0..2 {
        // Writing to a text cannot fail.
        let _ = write!(key, "{}", uuid::Uuid::new_v4().simple());
    }
    key
}

/// SHA-256 of a key, which is all that is stored of it.
pub fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// The key in a file, if there is one.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores a key, readable by its owner alone.
pub fn keep(path: &Path, key: &str) -> io::Result<()> {
    replace(path, format!("{key}\n").as_bytes())
}

/// Replaces a file at once, so that a crash leaves the old one or the new one and never half of one. Only its owner can
/// read it.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
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
    use super::*;

    #[test]
    fn keys_differ_and_have_their_form() {
        let (one, two) = (new_key(), new_key());
        assert_ne!(one, two);
        assert_eq!(one.len(), 3 + 64);
        assert!(one.strip_prefix("ak_").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
