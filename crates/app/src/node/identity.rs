//! The owner of an embedded installation: made at the first start, found again at every other one.

use agenticai_store::{Bootstrap, Principal, Store};

use crate::exit::{Failure, Result};
use crate::home::Home;
use crate::keys::{hash, new_key};

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
    let first = Bootstrap { tenant: "default".into(), user: "owner".into(), key: hash, retention_days: 30 };
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
