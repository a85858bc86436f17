//! Queries: every parameter is named once and known.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::problem::{ApiError, ApiResult, BAD_QUERY};

/// Items of a page where nothing is said.
const DEFAULT_LIMIT: u32 = 50;
/// Items of a page at most.
const MAX_LIMIT: u32 = 1000;

/// The parameters of a query. A handler takes what it knows and calls [`Params::done`] on the rest.
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let unreadable = |why| ApiError::new(BAD_QUERY, format!("The query cannot be read: {why}."));
        Query::from_request_parts(parts, state).await.map(|Query(pairs)| Self(pairs)).map_err(unreadable)
    }
}

impl Params {
    /// The value of a parameter.
    pub fn take(&mut self, name: &str) -> ApiResult<Option<String>> {
        let mut found = self.0.extract_if(.., |(key, _)| key == name);
        let value = found.next().map(|(_, value)| value);
        if found.next().is_some() {
            return Err(ApiError::new(BAD_QUERY, format!("`{name}` is given twice.")));
        }
        Ok(value)
    }

    /// The value of a parameter, read as `T`.
    pub fn parse<T: FromStr<Err: Display>>(&mut self, name: &str) -> ApiResult<Option<T>> {
        self.take(name)?
            .map(|text| {
                text.parse()
                    .map_err(|why| ApiError::new(BAD_QUERY, format!("`{name}={text}` does not fit: {why}.")))
            })
            .transpose()
    }

    /// All parameters whose names begin with `prefix`, without it.
    pub fn prefixed(&mut self, prefix: &str) -> BTreeMap<String, String> {
        self.0
            .extract_if(.., |(key, _)| key.len() > prefix.len() && key.starts_with(prefix))
            .map(|(key, value)| (key[prefix.len()..].to_owned(), value))
            .collect()
    }

    /// `limit`: 1 to 1,000, else 50.
    pub fn limit(&mut self) -> ApiResult<u32> {
        match self.parse("limit")? {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(limit) => {
                Err(ApiError::new(BAD_QUERY, format!("`limit={limit}` does not fit: use 1 to {MAX_LIMIT}.")))
            }
        }
    }

    /// Refuses what nobody took: a filter with a slip in its name must not answer everything.
    pub fn done(self) -> ApiResult<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(ApiError::new(BAD_QUERY, format!("`{name}` is no parameter here; /docs lists them.")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(params(&[]).limit().unwrap(), 50);
        assert_eq!(params(&[("limit", "1000")]).limit().unwrap(), 1000);
        for bad in ["0", "1001", "-1", "x", ""] {
            assert_eq!(params(&[("limit", bad)]).limit().unwrap_err().kind().name, "bad-query", "{bad}");
        }
    }

    #[test]
    fn what_is_unknown_or_given_twice_is_refused() {
        let mut query = params(&[("a", "1"), ("metadata.team", "x"), ("metadata.", "y"), ("a", "2")]);
        assert!(query.take("a").is_err());
        assert_eq!(query.prefixed("metadata."), BTreeMap::from([("team".to_owned(), "x".to_owned())]));
        assert!(query.done().is_err());
    }
}
