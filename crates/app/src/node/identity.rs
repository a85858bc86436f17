//! The owner of an embedded installation: made at the first start, found again at every other one.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use agenticai_store::{Bootstrap, KeyHash, Principal, Store};

use crate::exit::{Failure, Result};
use crate::home::Home;

/// Whose installation it is.
pub struct Owner {
    /// The owner.
    pub principal: Principal,
    /// Whether this was the first start.
    pub first_start: bool,
    /// Whether the key file was lost and a new key was made.
    pub new_key: bool,
}

/// Finds the owner, or makes one.
///
/// The key file is written before its hash is stored: a crash in between leaves a key that the store does not know yet,
/// which the next start adds. The other way round it would leave an owner whom nobody can be.
pub async fn owner(store: &dyn Store, home: &Home) -> Result<Owner> {
    let at_file = |error: std::io::Error| {
        Failure::failed(format!("the key file {} cannot be used: {error}", home.key_file().display()))
    };
    let kept = home.key().map_err(at_file)?;
    let lost = kept.is_none();
    let key = match kept {
        Some(key) => key,
        None => {
            let key = new_key();
            home.keep_key(&key).map_err(at_file)?;
            key
        }
    };
    let hash = hash(&key);
    let at_store = |error| Failure::failed(format!("the owner cannot be stored: {error}"));
    let first = Bootstrap { tenant: "default".into(), user: "owner".into(), key: hash };
    if let Some(principal) = store.bootstrap(first).await.map_err(at_store)? {
        return Ok(Owner { principal, first_start: true, new_key: false });
    }
    if let Some(principal) = store.authenticate(hash).await.map_err(at_store)? {
        return Ok(Owner { principal, first_start: false, new_key: false });
    }
    match store.add_owner_key(hash).await.map_err(at_store)? {
        Some(principal) => Ok(Owner { principal, first_start: false, new_key: lost }),
        None => Err(Failure::failed(format!("the database in {} has no owner", home.path().display()))),
    }
}

/// SHA-256 of a key, which is all that is stored of it.
fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// 244 random bits from the operating system.
fn new_key() -> String {
    let mut key = String::from("ak_");
    for _ in 0..2 {
        // Writing to a text cannot fail.
        let _ = write!(key, "{}", uuid::Uuid::new_v4().simple());
    }
    key
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
