//! MCP: the reference servers over both transports, and one that misbehaves.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_agent::secrets::Secrets;
use agenticai_agent::tools::egress::EgressPolicy;
use agenticai_agent::tools::{McpServerConfig, Tools, ToolsConfig};
use agenticai_domain::spec::{Approval, Effect, ToolDef};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::server::{Reply, Server};
use super::{call, content, context, error, local, resolve, tools, uncertain};

/// The program file of an installed server.
fn installed(server: &str) -> String {
    let modules = std::env::var("AGENTICAI_TEST_MCP").unwrap_or_else(|_| {
        panic!(
            "AGENTICAI_TEST_MCP is not set: `./test` installs the MCP servers and sets it; by hand: \
             `npm ci --ignore-scripts` in a copy of `e2e/mcp`, and its `node_modules` is the value"
        )
    });
    let path: PathBuf = [&modules, "@modelcontextprotocol", server, "dist", "index.js"].iter().collect();
    assert!(path.exists(), "{} is missing: install `e2e/mcp` again", path.display());
    path.to_str().unwrap().to_owned()
}

fn everything() -> Value {
    json!(["node", installed("server-everything"), "stdio"])
}

fn odd() -> Value {
    // Asked for when it runs: a binary from a build directory that checkouts share may have been built in another one.
    let package = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    json!(["node", format!("{package}/tests/it/tools/odd-server.mjs")])
}

fn named<'a>(defs: &'a [ToolDef], name: &str) -> &'a ToolDef {
    defs.iter().find(|def| def.name == name).unwrap_or_else(|| panic!("no {name}"))
}

async fn odd_tools(tools: &Tools, change: Value) -> Vec<ToolDef> {
    let mut server = json!({"command": odd(), "timeout_seconds": 2, "retry": {"initial_ms": 1}});
    super::merge(&mut server, change);
    resolve(tools, json!([{ "mcp": server }])).await.unwrap()
}

#[tokio::test]
async fn the_reference_server_over_stdio() {
    let tools = tools();
    let effects = json!({"echo": "none", "get-sum": "idempotent"});
    let server = json!({"command": everything(), "effects": effects, "approvals": {"echo": "always"}});
    let defs = resolve(&tools, json!(["calculator", { "mcp": server }])).await.unwrap();
    let echo = named(&defs, "echo");
    assert_eq!((echo.effect, echo.approval), (Effect::None, Approval::Always));
    assert_eq!(named(&defs, "get-sum").effect, Effect::Idempotent);
    assert_eq!(named(&defs, "get-env").effect, Effect::Once, "nothing is said of it");
    assert!(echo.parameters["properties"]["message"].is_object() && !echo.description.is_empty());
    assert_eq!(content(call(&tools, echo, json!({"message": "hello"})).await), json!("Echo: hello"));
    let weather = call(&tools, named(&defs, "get-structured-content"), json!({"location": "New York"})).await;
    assert!(content(weather)["temperature"].is_number());
    let image = content(call(&tools, named(&defs, "get-tiny-image"), json!({})).await);
    let image = image.as_str().unwrap();
    assert!(image.contains("[image, image/png]") && image.len() < 500, "{image}");
    let wrong = error(call(&tools, named(&defs, "get-sum"), json!({"a": "x"})).await);
    assert!(["bad_arguments", "tool_error"].contains(&wrong.0.as_str()), "{wrong:?}");
    // Progress notifications come in meanwhile, and calls run beside each other in one session.
    let long = named(&defs, "trigger-long-running-operation");
    let (a, b) = tokio::join!(
        call(&tools, long, json!({"duration": 1, "steps": 4})),
        call(&tools, echo, json!({"message": "beside"})),
    );
    assert!(content(a).as_str().unwrap().contains("completed"));
    assert_eq!(content(b), json!("Echo: beside"));
}

/// The reference server over HTTP, on a free port.
async fn everything_over_http() -> (Child, u16) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    (everything_on(port).await, port)
}

async fn everything_on(port: u16) -> Child {
    let child = Command::new("node")
        .args([installed("server-everything"), "streamableHttp".to_owned()])
        .env("PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..400 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return child;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not listen");
}

#[tokio::test]
async fn the_reference_server_over_http_and_its_death() {
    let (mut child, port) = everything_over_http().await;
    let tools = tools();
    let url = format!("http://127.0.0.1:{port}/mcp");
    let retry = json!({"max_attempts": 2, "initial_ms": 1});
    let server = json!({"url": url, "effects": {"echo": "none"}, "retry": retry, "timeout_seconds": 20});
    let defs = resolve(&tools, json!([{ "mcp": server }])).await.unwrap();
    let (echo, long) = (named(&defs, "echo"), named(&defs, "trigger-long-running-operation"));
    assert_eq!(content(call(&tools, echo, json!({"message": "hi"})).await), json!("Echo: hi"));
    // A new server on the old port does not know the session: the call is made again in a new one.
    child.kill().await.unwrap();
    child = everything_on(port).await;
    let outcome = call(&tools, echo, json!({"message": "again"})).await;
    assert_eq!(outcome.attempts, 2);
    assert_eq!(content(outcome), json!("Echo: again"));
    child.kill().await.unwrap();
    let outcome = call(&tools, echo, json!({"message": "gone"})).await;
    assert_eq!(error(outcome).0, "unreachable");
    let outcome = call(&tools, long, json!({"duration": 1})).await;
    assert_eq!((outcome.attempts, error(outcome).0.as_str()), (2, "unreachable"));
}

#[tokio::test]
async fn a_call_in_flight_is_uncertain_when_the_http_server_dies() {
    let (mut child, port) = everything_over_http().await;
    let tools = tools();
    let server = json!({"url": format!("http://127.0.0.1:{port}/mcp"), "timeout_seconds": 3});
    let defs = resolve(&tools, json!([{ "mcp": server }])).await.unwrap();
    let long = named(&defs, "trigger-long-running-operation").clone();
    let task = {
        let tools = tools.clone();
        tokio::spawn(async move { call(&tools, &long, json!({"duration": 60, "steps": 1})).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    child.kill().await.unwrap();
    let outcome = task.await.unwrap();
    assert_eq!(outcome.attempts, 1);
    uncertain(outcome);
}

#[tokio::test]
async fn the_filesystem_server_by_the_operators_name() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::write(root.join("note.txt"), "written down").unwrap();
    let command = vec!["node".to_owned(), installed("server-filesystem"), root.to_str().unwrap().to_owned()];
    let files = McpServerConfig { command: Some(command), ..McpServerConfig::default() };
    // Programs of specifications are refused here; the operator's own are started all the same.
    let config =
        ToolsConfig { mcp_servers: [("files".to_owned(), files)].into(), allow_stdio: false, ..local() };
    let tools = Tools::new(config).unwrap();
    let server = json!({"server": "files", "tools": ["read_text_file", "list_directory"], "effects": {"read_text_file": "none"}});
    let defs = resolve(&tools, json!([{ "mcp": server }])).await.unwrap();
    assert_eq!(defs.len(), 2);
    let read = named(&defs, "read_text_file");
    let answer = content(call(&tools, read, json!({"path": root.join("note.txt")})).await);
    assert!(answer.to_string().contains("written down"), "{answer}");
    let (code, _) = error(call(&tools, read, json!({"path": "/etc/passwd"})).await);
    assert_eq!(code, "tool_error");
    let errors = resolve(&tools, json!([{"mcp": {"command": odd()}}])).await.unwrap_err();
    assert!(
        errors[0].path == "tools[0].mcp" && errors[0].message.contains("mcp: {server: NAME}"),
        "{errors:?}"
    );
    let errors = resolve(&tools, json!([{"mcp": {"server": "filez"}}])).await.unwrap_err();
    assert!(errors[0].message.contains("`files`"), "{errors:?}");
}

#[tokio::test]
async fn unknown_names_are_answered_with_the_servers_list() {
    let tools = tools();
    let server = json!({"command": odd(), "tools": ["meta", "mta"], "effects": {"evn": "none"}, "approvals": {"dy": "always"}});
    let errors = resolve(&tools, json!([{ "mcp": server }])).await.unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["tools[0].mcp.approvals", "tools[0].mcp.effects", "tools[0].mcp.tools"]);
    assert!(errors[2].message.contains("`mta`") && errors[2].message.contains("`meta`"), "{errors:?}");
    let errors =
        resolve(&tools, json!([{"mcp": {"command": ["no-such-program-at-all"]}}])).await.unwrap_err();
    assert!(errors[0].message.contains("cannot be started"), "{errors:?}");
}

#[tokio::test]
async fn all_pages_are_listed_and_hints_do_not_count() {
    let tools = tools();
    let defs = resolve(
        &tools,
        json!([
            {"name": "meta", "http": {"url": "https://example.com"}},
            {"mcp": {"command": odd()}},
            {"mcp": {"command": odd(), "tools": ["meta"]}},
        ]),
    )
    .await
    .unwrap();
    let names: Vec<_> = defs.iter().map(|def| def.name.as_str()).collect();
    assert_eq!(
        names,
        ["meta", "meta_2", "die", "hang", "fail", "big", "helper", "env", "blocks", "bad_name__", "meta_3"]
    );
    assert!(defs.iter().all(|def| def.effect == Effect::Once));
    assert_eq!(content(call(&tools, named(&defs, "bad_name__"), json!({})).await), json!("named"));
}

#[tokio::test]
async fn calls_carry_their_identity_and_results_are_mapped() {
    let tools = tools();
    let defs = odd_tools(&tools, json!({"max_result_bytes": 10_000})).await;
    let meta = content(call(&tools, named(&defs, "meta"), json!({})).await);
    let meta: Value = serde_json::from_str(meta.as_str().unwrap()).unwrap();
    let task = "00000000-0000-0000-0000-000000000002";
    for (key, value) in [
        ("x-agenticai-task", task),
        ("x-agenticai-step", "3.1"),
        ("x-agenticai-epoch", "7"),
        ("x-agenticai-attempt", "1"),
        ("idempotency-key", "00000000-0000-0000-0000-000000000002/3.1"),
    ] {
        assert_eq!(meta[key], json!(value), "{meta}");
    }
    assert!(meta["traceparent"].is_string());
    let blocks = content(call(&tools, named(&defs, "blocks"), json!({})).await);
    assert_eq!(blocks, json!("one\u{0}\n[image, image/png]\n[resource file:///a]\ntwo"));
    assert_eq!(
        error(call(&tools, named(&defs, "fail"), json!({})).await),
        ("tool_error".into(), "it broke".into())
    );
    assert_eq!(error(call(&tools, named(&defs, "big"), json!({})).await).0, "too_large");
}

#[tokio::test]
async fn a_server_that_dies_or_hangs_leaves_once_uncertain_and_comes_back() {
    let tools = tools();
    let defs = odd_tools(&tools, json!({"effects": {"meta": "none"}})).await;
    for name in ["die", "hang"] {
        let outcome = call(&tools, named(&defs, name), json!({})).await;
        assert_eq!(outcome.attempts, 1);
        uncertain(outcome);
        content(call(&tools, named(&defs, "meta"), json!({})).await);
    }
    let harmless = odd_tools(&tools, json!({"effects": {"die": "none"}})).await;
    let outcome = call(&tools, named(&harmless, "die"), json!({})).await;
    assert_eq!((outcome.attempts, error(outcome).0.as_str()), (3, "connection_lost"));
}

#[tokio::test]
async fn nothing_is_called_without_the_lease() {
    let tools = tools();
    let defs = odd_tools(&tools, json!({})).await;
    let (ctx, lease) = context();
    lease.store(false, Ordering::SeqCst);
    let outcome = tools.call(named(&defs, "die"), &json!({}), &ctx).await;
    assert_eq!((outcome.attempts, error(outcome).0.as_str()), (0, "lease_lost"));
    assert!(content(call(&tools, named(&defs, "meta"), json!({})).await).is_string(), "it still lives");
}

#[tokio::test]
async fn programs_see_what_is_declared_and_die_with_their_helpers() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("TOKEN"), "pl4nted-s3cret").unwrap();
    let tools =
        Tools::new(ToolsConfig { secrets: Secrets::new(Some(dir.path().to_owned())), ..local() }).unwrap();
    let defs = odd_tools(&tools, json!({"env": {"MINE": "1", "KEY": "${secret:TOKEN}"}})).await;
    assert!(!serde_json::to_string(&defs).unwrap().contains("pl4nted"));
    let env = content(call(&tools, named(&defs, "env"), json!({})).await);
    let env: serde_json::Map<String, Value> = serde_json::from_str(env.as_str().unwrap()).unwrap();
    assert_eq!(env["KEY"], json!("${secret:TOKEN}"), "it was there and is taken out of the result");
    let names: Vec<_> = env.keys().map(String::as_str).filter(|name| !name.starts_with("__CF")).collect();
    assert_eq!(names, ["KEY", "MINE", "PATH"]);
    let helper = content(call(&tools, named(&defs, "helper"), json!({})).await);
    let alive = PathBuf::from(format!("/proc/{}/stat", helper.as_str().unwrap()));
    let running = || std::fs::read_to_string(&alive).is_ok_and(|stat| !stat.contains(") Z"));
    assert!(running());
    drop(tools);
    for _ in 0..200 {
        if !running() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server's helper survived it");
}

#[tokio::test]
async fn http_servers_obey_the_egress_rule() {
    let server = Server::start(|_, _| Reply::text("reached")).await;
    let egress = EgressPolicy::parse::<&str>(&[], false).unwrap();
    let closed = Tools::new(ToolsConfig { egress, ..local() }).unwrap();
    for url in [server.url("/mcp"), format!("http://localhost:{}/mcp", server.port())] {
        let errors = resolve(&closed, json!([{"mcp": {"url": url}}])).await.unwrap_err();
        assert!(errors[0].message.contains("egress.allow"), "{errors:?}");
    }
    assert!(server.requests().is_empty());
    // What is no MCP server is said to be none, whatever it answers.
    for reply in [
        || Reply::text("reached"),
        || Reply::answer(302, "location: http://10.0.0.1/\r\n", ""),
        || Reply::answer(401, "www-authenticate: Bearer\r\n", ""),
    ] {
        let server = Server::start(move |_, _| reply()).await;
        let errors = resolve(&tools(), json!([{"mcp": {"url": server.url("/mcp")}}])).await.unwrap_err();
        assert!(errors[0].message.contains("cannot be asked for its tools"), "{errors:?}");
    }
}
