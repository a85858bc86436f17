//! Logins: `Authorization: Bearer <key>`.
//!
//! Only the key's hash is looked up, and what was found is remembered for a few seconds, so that a request costs no
//! read of the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use sha2::{Digest, Sha256};

use agenticai_store::{KeyHash, Principal};

use crate::problem::{ApiError, UNAUTHENTICATED};
use crate::state::Api;

/// Keys that are remembered at most.
const KEYS: usize = 4096;

/// Who makes the request. A handler that takes it is closed to everybody else.
pub(crate) struct Auth(pub Principal);

impl FromRequestParts<Arc<Api>> for Auth {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let key = bearer(parts).ok_or_else(|| unauthenticated("Send `Authorization: Bearer <API key>`."))?;
        let hash: KeyHash = Sha256::digest(key.as_bytes()).into();
        if let Some(principal) = api.keys.get(&hash, api.settings.key_trust) {
            return Ok(Self(principal));
        }
        match api.store.authenticate(hash).await? {
            Some(principal) => {
                api.keys.put(hash, principal);
                Ok(Self(principal))
            }
            None => Err(unauthenticated("The API key is not known here.")),
        }
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, key) = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

fn unauthenticated(detail: &str) -> ApiError {
    ApiError::new(UNAUTHENTICATED, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// Keys that were found to be good, each with the time of the look-up.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<HashMap<KeyHash, (Instant, Principal)>>);

impl KeyCache {
    fn get(&self, hash: &KeyHash, trust: Duration) -> Option<Principal> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(hash).filter(|(seen, _)| seen.elapsed() < trust).map(|(_, principal)| *principal)
    }

    fn put(&self, hash: KeyHash, principal: Principal) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS {
            keys.clear();
        }
        keys.insert(hash, (Instant::now(), principal));
    }
}
