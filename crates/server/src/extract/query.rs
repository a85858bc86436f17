//! Queries: every parameter is named once and known.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::problem::{ApiError, ApiResult, BAD_QUERY};
use crate::state::Api;

/// The parameters of a query. A handler takes what it knows and calls [`Params::done`] on the rest.
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    /// Items of a page where nothing is said, and at most.
    pages: (u32, u32),
}

impl FromRequestParts<Arc<Api>> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let unreadable = |why| ApiError::new(BAD_QUERY, format!("The query cannot be read: {why}."));
        let Query(pairs) = Query::from_request_parts(parts, api).await.map_err(unreadable)?;
        Ok(Self { pairs, pages: (api.settings.default_page, api.settings.max_page) })
    }
}

impl Params {
    /// The value of a parameter.
    pub fn take(&mut self, name: &str) -> ApiResult<Option<String>> {
        let mut found = self.pairs.extract_if(.., |(key, _)| key == name);
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
        self.pairs
            .extract_if(.., |(key, _)| key.len() > prefix.len() && key.starts_with(prefix))
            .map(|(key, value)| (key[prefix.len()..].to_owned(), value))
            .collect()
    }

    /// `limit`: the items of a page.
    pub fn limit(&mut self) -> ApiResult<u32> {
        let (default, max) = self.pages;
        match self.parse("limit")? {
            None => Ok(default),
            Some(limit) if (1..=max).contains(&limit) => Ok(limit),
            Some(limit) => {
                Err(ApiError::new(BAD_QUERY, format!("`limit={limit}` does not fit: use 1 to {max}.")))
            }
        }
    }

    /// Refuses what nobody took: a filter with a slip in its name must not answer everything.
    pub fn done(self) -> ApiResult<()> {
        match self.pairs.first() {
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
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Params { pairs, pages: (50, 1000) }
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
