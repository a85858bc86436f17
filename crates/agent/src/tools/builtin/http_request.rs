//! `http_request`: a request that the model writes itself.

use agenticai_domain::spec::HttpMethod;
use serde_json::{Map, Value};

use crate::tools::http::HttpCall;
use crate::tools::retry::Failure;

/// Reads the arguments.
pub(crate) fn build(arguments: &Value) -> Result<HttpCall, Failure> {
    let bad = |message: String| Failure::new("bad_arguments", message);
    let method = match arguments.get("method") {
        None | Some(Value::Null) => HttpMethod::Get,
        Some(Value::String(name)) => serde_json::from_value(name.to_uppercase().into()).map_err(|_| {
            bad(format!("`{name}` is not offered: use GET, HEAD, POST, PUT, PATCH or DELETE"))
        })?,
        Some(_) => return Err(bad("`method` must be a string".to_owned())),
    };
    let url =
        arguments.get("url").and_then(Value::as_str).ok_or_else(|| bad("`url` is missing".to_owned()))?;
    let none = Map::new();
    let headers = match arguments.get("headers") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(map)) => map,
        Some(_) => return Err(bad("`headers` must be an object of strings".to_owned())),
    };
    HttpCall::free(method, url, headers, arguments.get("body").unwrap_or(&Value::Null))
}
