//! Where requests may go, whatever the disguise.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenticai_agent::tools::egress::{EgressEntryError, EgressPolicy, Lookup};
use agenticai_agent::tools::{Tools, ToolsConfig};
use serde_json::json;
use url::Url;

use super::server::{Reply, Server};
use super::{call, content, error, http_tool, local, resolve};

fn policy(entries: &[&str], loopback: bool) -> EgressPolicy {
    EgressPolicy::parse(entries, loopback).unwrap()
}

fn url_passes(policy: &EgressPolicy, url: &str) -> bool {
    policy.check_url(&Url::parse(url).unwrap()).is_ok()
}

fn address_passes(policy: &EgressPolicy, host: &str, ip: &str, port: u16) -> bool {
    policy.check_address(host, ip.parse().unwrap(), port).is_ok()
}

#[test]
fn an_empty_list_admits_the_public_internet_and_nothing_else() {
    let open = policy(&[], false);
    for public in [
        "8.8.8.8",
        "1.1.1.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "172.32.0.1",
        "100.128.0.1",
    ] {
        assert!(address_passes(&open, "h.example", public, 443), "{public}");
    }
    for private in [
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "168.63.129.16",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.0.1",
        "198.18.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001::1",
        "2001:db8::1",
        "fec0::1",
        "100::1",
    ] {
        assert!(!address_passes(&open, "h.example", private, 443), "{private}");
    }
}

#[test]
fn odd_spellings_of_addresses_are_seen_through() {
    let open = policy(&[], false);
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0xa9fea9fe/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://user@10.0.0.1/",
        "http://１２７.0.0.1/",
    ] {
        assert!(!url_passes(&open, url), "{url}");
    }
    assert!(url_passes(&open, "https://8.8.8.8/") && url_passes(&open, "https://example.com/"));
    assert!(!url_passes(&open, "ftp://example.com/") && !url_passes(&open, "file:///etc/passwd"));
    let up = policy(&[], true);
    assert!(url_passes(&up, "http://127.0.0.1:8080/") && url_passes(&up, "http://[::1]/"));
    assert!(!url_passes(&up, "http://10.0.0.1/") && !url_passes(&up, "http://169.254.169.254/"));
}

#[test]
fn entries_admit_what_they_say() {
    let list = policy(
        &["*.example.com", "db.internal:8000-8100", "10.0.0.0/8:443", "[fd12::/16]:443", "192.168.1.7"],
        false,
    );
    assert!(
        url_passes(&list, "https://a.b.Example.COM/")
            && address_passes(&list, "a.example.com", "8.8.8.8", 443)
    );
    assert!(address_passes(&list, "a.example.com", "192.168.3.3", 1));
    assert!(!address_passes(&list, "a.example.com", "127.0.0.1", 443), "a glob does not reach this machine");
    assert!(!address_passes(&list, "a.example.com", "169.254.169.254", 80), "a name does not reach metadata");
    assert!(!address_passes(&list, "example.com", "8.8.8.8", 443), "the glob wants a label before it");
    assert!(!address_passes(&list, "evilexample.com", "8.8.8.8", 443));
    assert!(
        address_passes(&list, "db.internal", "127.0.0.1", 8050)
            && !address_passes(&list, "db.internal", "127.0.0.1", 80)
    );
    assert!(url_passes(&list, "https://10.2.3.4/") && !url_passes(&list, "http://10.2.3.4/"));
    assert!(
        address_passes(&list, "any.name", "10.2.3.4", 443)
            && address_passes(&list, "any.name", "::ffff:10.2.3.4", 443)
    );
    assert!(
        address_passes(&list, "any.name", "fd12::1", 443)
            && !address_passes(&list, "any.name", "fd12::1", 80)
    );
    assert!(address_passes(&list, "192.168.1.7", "192.168.1.7", 5) && !url_passes(&list, "http://8.8.8.8/"));
    let public = policy(&["*"], false);
    assert!(url_passes(&public, "https://8.8.8.8/") && !url_passes(&public, "http://10.0.0.1/"));
    let metadata = policy(&["169.254.169.254"], false);
    assert!(url_passes(&metadata, "http://169.254.169.254/"));
    let local = policy(&["*.example.com"], true);
    assert!(url_passes(&local, "http://127.0.0.1/") && !url_passes(&local, "http://8.8.8.8/"));
}

#[test]
fn every_mistake_in_the_list_is_named() {
    let bad = [
        "",
        "https://example.com",
        "example.com:0",
        "example.com:99999",
        "h:9-3",
        "10.0.0.0/40",
        "exa mple",
        "[::1",
        "[::1]x",
    ];
    let errors = EgressPolicy::parse(&bad, false).unwrap_err();
    assert_eq!(errors.len(), bad.len(), "{errors:?}");
    assert_eq!(errors[0], EgressEntryError::Empty);
    assert!(
        matches!(errors[1], EgressEntryError::Url(_)) && matches!(errors[5], EgressEntryError::Network(_))
    );
    for error in &errors {
        assert!(error.to_string().contains("egress.allow"), "{error}");
    }
    for good in
        ["Example.com.", "*", "::1", "fd00::/8", "[::1]:80", "1.2.3.4:5-6", "a_b-c.d:443", "10.1.2.3/8"]
    {
        assert!(EgressPolicy::parse(&[good], false).is_ok(), "{good}");
    }
}

/// Answers each question for a name with the next address of the list, the last one for ever.
fn names(answers: &'static [&'static str]) -> (Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let ip: IpAddr = answers[n.min(answers.len() - 1)].parse().unwrap();
        Box::pin(async move { Ok(vec![ip]) })
    });
    (lookup, asked)
}

fn with_names(entries: &[&str], loopback: bool, lookup: Lookup) -> Tools {
    Tools::new(ToolsConfig { egress: policy(entries, loopback), lookup: Some(lookup), ..local() }).unwrap()
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_not_connected_to() {
    for address in ["127.0.0.1", "169.254.169.254", "10.0.0.1"] {
        let server = Server::start(|_, _| Reply::text("reached")).await;
        let address: &'static [&'static str] = Vec::leak(vec![address]);
        let tools = with_names(&[], false, names(address).0);
        let def = http_tool(&tools, &format!("http://innocent.example:{}/", server.port()), json!({})).await;
        let outcome = call(&tools, &def, json!({})).await;
        assert_eq!(outcome.attempts, 1, "a refusal is final");
        let (code, message) = error(outcome);
        assert!(
            code == "egress_denied" && message.contains("egress.allow") && message.contains(address[0]),
            "{message}"
        );
        assert!(server.requests().is_empty());
    }
}

#[tokio::test]
async fn rebinding_does_not_help() {
    // Admitted at the first question and this machine from then on: what counts is the address that is connected to.
    let server = Server::start(|_, _| Reply::answer(500, "connection: close\r\n", "")).await;
    let (lookup, asked) = names(&["127.0.0.1", "127.0.0.2"]);
    let tools = with_names(&["127.0.0.1"], false, lookup);
    let url = format!("http://rebinding.example:{}/", server.port());
    let def = http_tool(&tools, &url, json!({})).await;
    let (code, message) = error(call(&tools, &def, json!({})).await);
    assert!(code == "egress_denied" && message.contains("127.0.0.2"), "{code}: {message}");
    assert_eq!((server.requests().len(), asked.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn ports_hold_for_names_too() {
    let server = Server::start(|_, _| Reply::text("ok")).await;
    let other = if server.port() == 9 { 10 } else { 9 };
    let tools = with_names(&[&format!("127.0.0.1:{}", server.port())], false, names(&["127.0.0.1"]).0);
    // The name passes the look at the URL on either port where an entry for addresses has it.
    let def = http_tool(&tools, &format!("http://ported.example:{}/", server.port()), json!({})).await;
    assert_eq!(content(call(&tools, &def, json!({})).await), json!("ok"));
    let denied =
        resolve(&tools, json!([{"name": "p", "http": {"url": format!("http://ported.example:{other}/")}}]));
    let errors = denied.await.unwrap_err();
    assert!(
        errors[0].path == "tools[0].http.url" && errors[0].message.contains("egress.allow"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn redirects_are_checked_hop_by_hop() {
    for target in
        ["http://169.254.169.254/latest/", "http://[fd00::1]/", "http://10.0.0.1/", "file:///etc/passwd"]
    {
        let server =
            Server::start(move |_, _| Reply::answer(302, &format!("location: {target}\r\n"), "")).await;
        let tools = super::tools();
        let def = http_tool(&tools, &server.url("/"), json!({})).await;
        let (code, message) = error(call(&tools, &def, json!({})).await);
        assert!(code == "egress_denied" && message.contains("egress.allow"), "{target}: {code}: {message}");
    }
    let server = Server::start(|_, _| Reply::answer(302, "location: http://inside.example/\r\n", "")).await;
    let tools = with_names(&[], true, names(&["192.168.0.1"]).0);
    let def = http_tool(&tools, &server.url("/"), json!({})).await;
    assert_eq!(error(call(&tools, &def, json!({})).await).0, "egress_denied");
}

#[tokio::test]
async fn a_model_cannot_name_its_way_out() {
    let tools = super::tools();
    let def =
        resolve(&tools, json!([{"builtin": "http_request", "effect": "none"}])).await.unwrap().remove(0);
    let asked = call(&tools, &def, json!({"url": "http://169.254.169.254/latest/meta-data/iam"})).await;
    assert_eq!(error(asked).0, "egress_denied");
}

/// The environment belongs to a process, so the calls through a proxy are made by a second run of this very test.
#[tokio::test]
async fn a_proxy_is_used_and_the_rule_holds_through_it() {
    let proxy = Server::start(|_, _| Reply::text("by proxy")).await;
    let done = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tools::egress::behind_a_proxy", "--ignored"])
        .env("HTTP_PROXY", proxy.url("/"))
        .env("NO_PROXY", "direct.example")
        .env_remove("http_proxy")
        .env_remove("no_proxy")
        .output()
        .await
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let lines: Vec<_> = proxy.requests().iter().map(|r| r.head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["get http://public.example/ http/1.1", "get http://hidden.example/ http/1.1"]);
}

#[tokio::test]
#[ignore = "run by the test above, with a proxy in its environment"]
async fn behind_a_proxy() {
    let lookup: Lookup = Arc::new(|name| {
        Box::pin(async move {
            match name.as_str() {
                "public.example" => Ok(vec!["93.184.215.14".parse().unwrap()]),
                "inside.example" => Ok(vec!["93.184.215.14".parse().unwrap(), "10.0.0.1".parse().unwrap()]),
                "direct.example" => Ok(vec!["127.0.0.1".parse().unwrap()]),
                _ => Err(std::io::Error::other("no such name")),
            }
        })
    });
    let code = async |tools: &Tools, url: &str| {
        let def = http_tool(tools, url, json!({})).await;
        error(call(tools, &def, json!({})).await).0
    };
    let tools = with_names(&[], false, lookup.clone());
    let def = http_tool(&tools, "http://public.example/", json!({})).await;
    assert_eq!(content(call(&tools, &def, json!({})).await), json!("by proxy"));
    assert_eq!(code(&tools, "http://inside.example/").await, "egress_denied");
    assert_eq!(code(&tools, "http://hidden.example/").await, "unreachable");
    assert_eq!(code(&tools, "http://direct.example/").await, "egress_denied");
    // What cannot be resolved here goes through where the operator named it.
    let named = with_names(&["hidden.example"], false, lookup);
    let def = http_tool(&named, "http://hidden.example/", json!({})).await;
    assert_eq!(content(call(&named, &def, json!({})).await), json!("by proxy"));
}
