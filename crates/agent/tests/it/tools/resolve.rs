//! From specifications to definitions.

use std::time::Duration;

use agenticai_agent::tools::{BUILTIN_NAMES, Tools, ToolsConfig};
use agenticai_domain::schema::Schema;
use agenticai_domain::spec::{Effect, ToolDef};
use serde_json::json;

use super::{call, content, error, local, resolve, spec, tools};

#[tokio::test]
async fn builtin_tools_are_described() {
    let tools = tools();
    let defs = resolve(&tools, json!(BUILTIN_NAMES)).await.unwrap();
    assert_eq!(defs.iter().map(|def| def.name.as_str()).collect::<Vec<_>>(), BUILTIN_NAMES);
    for def in &defs {
        assert!(!def.description.is_empty() && def.timeout_ms == ToolDef::TIMEOUT_MS);
        Schema::compile(&def.parameters).unwrap();
        assert_eq!(def.effect, if def.name == "http_request" { Effect::Once } else { Effect::None });
    }
    let read = resolve(&tools, json!([{"builtin": "http_request", "effect": "none", "timeout_seconds": 5}]))
        .await
        .unwrap();
    assert_eq!((read[0].effect, read[0].timeout_ms), (Effect::None, 5_000));
}

/// The operator chooses what holds where a specification says nothing; a `once` tool keeps its own bound.
#[tokio::test]
async fn what_a_specification_leaves_open_is_the_operators() {
    let config = ToolsConfig {
        default_timeout: Duration::from_secs(90),
        default_max_result_bytes: 1000,
        max_once_timeout: Duration::from_secs(70),
        ..local()
    };
    let list =
        json!(["now", "http_request", {"builtin": "sleep", "timeout_seconds": 5, "max_result_bytes": 7}]);
    let defs = resolve(&Tools::new(config).unwrap(), list).await.unwrap();
    let bounds: Vec<_> = defs.iter().map(|def| (def.timeout_ms, def.max_result_bytes)).collect();
    assert_eq!(bounds, [(90_000, 1000), (70_000, 1000), (5_000, 7)]);
}

#[tokio::test]
async fn builtin_tools_are_performed() {
    let tools = tools();
    let defs = resolve(&tools, json!(["calculator", "now", "sleep"])).await.unwrap();
    let result = call(&tools, &defs[0], json!({"expression": "17% of 2,340"})).await;
    assert_eq!(result.attempts, 1);
    assert_eq!(content(result), json!("397.8"));
    assert_eq!(error(call(&tools, &defs[0], json!({"expression": "1/0"})).await).0, "bad_expression");
    let now = content(call(&tools, &defs[1], json!({})).await);
    assert!(now.as_str().unwrap().ends_with('Z'), "{now}");
    assert_eq!(error(call(&tools, &defs[2], json!({"seconds": 1})).await).0, "not_performed_here");
}

#[tokio::test]
async fn every_mistake_is_reported_at_once() {
    let tools = Tools::new(ToolsConfig { max_once_timeout: Duration::from_secs(30), ..local() }).unwrap();
    let list = json!([
        "calculater",
        {"name": "slow", "timeout_seconds": 31, "http": {"url": "https://example.com/"}},
        {"name": "far", "http": {"url": "http://10.0.0.1/"}},
        {"name": "odd", "max_result_bytes": 0, "timeout_seconds": 0, "retry": {"max_attempts": 0},
         "http": {"url": "http://exa mple/", "headers": {"Host": "x", "b\u{e4}d": "y"}}},
        {"mcp": {"server": "nowhere"}},
        {"name": "fine", "timeout_seconds": 31, "effect": "idempotent", "http": {"url": "https://${secret:HOST}/x"}},
    ]);
    let errors = tools.resolve(&spec(list)).await.unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    for path in [
        "tools[0].builtin",
        "tools[1].timeout_seconds",
        "tools[2].http.url",
        "tools[3].max_result_bytes",
        "tools[3].timeout_seconds",
        "tools[3].retry.max_attempts",
        "tools[3].http.url",
        "tools[3].http.headers.Host",
        "tools[3].http.headers.b\u{e4}d",
        "tools[4].mcp",
    ] {
        assert!(paths.contains(&path), "{path} in {errors:#?}");
    }
    assert_eq!(errors.len(), 10, "{errors:#?}");
    assert!(errors[0].message.contains("`calculator`"));
    let unbounded =
        resolve(&tools, json!([{"name": "a", "http": {"url": "https://example.com/"}}])).await.unwrap();
    assert_eq!(unbounded[0].timeout_ms, 30_000, "the default gives way to the bound");
}
