//! Requests: the declared ones of HTTP tools and the free ones of the built-in `http_request`.

use agenticai_domain::spec::{HttpMethod, HttpRequestSpec};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value};
use url::Url;

use super::headers::check_header_name;
use crate::secrets::{SecretError, Secrets};
use crate::tools::redact::Redactor;
use crate::tools::retry::Failure;

/// A request that is ready to be sent, as often as the policy says.
#[derive(Clone, Debug)]
pub(crate) struct HttpCall {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
}

impl HttpCall {
    /// The request that a specification declares. Secrets are resolved here and noted in `redactor`.
    pub fn declared(
        spec: &HttpRequestSpec,
        arguments: &Value,
        secrets: &Secrets,
        redactor: &mut Redactor,
    ) -> Result<Self, Failure> {
        let arguments = match arguments {
            Value::Object(map) => map,
            Value::Null => &Map::new(),
            _ => return Err(Failure::new("bad_arguments", "the arguments must be a JSON object")),
        };
        let text = redactor.resolve(secrets, &spec.url).map_err(missing)?;
        // The parser's error does not quote the URL, which may hold a secret.
        let mut url = Url::parse(&text)
            .map_err(|error| Failure::new("bad_request", format!("the tool's URL is not valid: {error}")))?;
        note_basic_authentication(&url, redactor);
        let mut headers = HeaderMap::new();
        for (name, value) in redactor.resolve_map(secrets, &spec.headers).map_err(missing)? {
            insert(&mut headers, &name, &value)?;
        }
        let body = if spec.method.takes_query() {
            add_query(&mut url, arguments);
            None
        } else {
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Some(Value::from(arguments.clone()).to_string().into())
        };
        Ok(Self { method: method(spec.method), url, headers, body })
    }

    /// The request that a model asks for. References to secrets are not resolved: a model must not send them about.
    pub fn free(
        method: HttpMethod,
        url: &str,
        headers: &Map<String, Value>,
        body: &Value,
    ) -> Result<Self, Failure> {
        let bad = |message: String| Failure::new("bad_arguments", message);
        let url = Url::parse(url).map_err(|error| bad(format!("`url` is not valid: {error}")))?;
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            let value = value.as_str().ok_or_else(|| bad(format!("the header `{name}` must be a string")))?;
            insert(&mut sent, name, value)?;
        }
        let body = match body {
            Value::Null => None,
            Value::String(text) => Some(Bytes::from(text.clone())),
            json => {
                sent.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                Some(json.to_string().into())
            }
        };
        Ok(Self { method: self::method(method), url, headers: sent, body })
    }
}

fn missing(error: SecretError) -> Failure {
    Failure::new("secret_missing", error.to_string())
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Failure> {
    let bad = |message| Failure::new("bad_request", message);
    let parsed = check_header_name(name).map_err(bad)?;
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        bad(format!("the value of the header `{name}` holds characters that no header may hold"))
    })?;
    value.set_sensitive(true);
    headers.insert(parsed, value);
    Ok(())
}

/// User name and password of a URL travel as base64 of both, which a server may send back.
fn note_basic_authentication(url: &Url, redactor: &mut Redactor) {
    if let Some(password) = url.password() {
        redactor.note(&format!("{}:{password}", url.username()), "${secret:…}");
    }
}

/// Scalars as they are, lists as a repeated name, objects as JSON; `null` is left out.
fn add_query(url: &mut Url, arguments: &Map<String, Value>) {
    if arguments.values().all(Value::is_null) {
        return;
    }
    let mut query = url.query_pairs_mut();
    for (name, value) in arguments {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        for item in items {
            match item {
                Value::Null => {}
                Value::String(text) => {
                    query.append_pair(name, text);
                }
                other => {
                    query.append_pair(name, &other.to_string());
                }
            }
        }
    }
}
