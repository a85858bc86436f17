#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::layers::DEFAULTS;
use super::*;

fn env(pairs: &[(&str, &str)]) -> Environment {
    let mut all = Environment::from([("HOME".to_owned(), "/home/ada".to_owned())]);
    all.extend(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    all
}

fn load_text(text: &str, flags: Vec<FlagValue>, environment: Environment) -> Result<Loaded, Mistakes> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agenticai.toml");
    std::fs::write(&file, text).unwrap();
    load(flags, environment, Some(file))
}

fn shown(loaded: &Loaded) -> Vec<(String, String)> {
    loaded.shown.iter().map(|s| (s.path.clone(), s.value.clone())).collect()
}

/// The default file with the examples made real.
fn examples() -> String {
    let real = |line: &str| {
        let example = line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' '));
        example.unwrap_or(line).to_owned()
    };
    // `data_dir` stands at the top in the file, so that it belongs to no section here either.
    DEFAULTS.lines().map(real).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_default_file_says_what_holds_without_it() {
    let with = load_text(DEFAULTS, vec![], env(&[])).unwrap();
    let without = load(vec![], env(&[]), None).unwrap();
    assert_eq!(shown(&with), shown(&without));
    assert_eq!(without.settings.server.port, 8000);
    assert_eq!(without.settings.data_dir.file_name().unwrap(), "agenticai");
}

#[test]
fn the_default_file_names_every_setting() {
    let loaded = load_text(&examples(), vec![], env(&[])).unwrap();
    let paths: Vec<&str> = loaded.shown.iter().map(|s| s.path.as_str()).collect();
    for known in known_settings() {
        let named = paths.iter().any(|p| {
            *p == known || p.starts_with(&format!("{known}.")) || p.starts_with(&format!("{known}["))
        });
        assert!(named, "default.toml does not mention `{known}`");
    }
    assert_eq!(loaded.settings.providers.len(), 1);
    assert_eq!(loaded.settings.prices.len(), 1);
    assert_eq!(loaded.settings.mcp.len(), 2);
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_the_defaults() {
    let flag = || vec![FlagValue { path: "server.port", flag: "--port", value: "4".into() }];
    let variable = || env(&[("AGENTICAI_SERVER_PORT", "3")]);
    let file = "[server]\nport = 2\n";
    let port = |loaded: Result<Loaded, Mistakes>| loaded.unwrap().settings.server.port;
    assert_eq!(port(load_text(file, flag(), variable())), 4);
    assert_eq!(port(load_text(file, vec![], variable())), 3);
    assert_eq!(port(load_text(file, vec![], env(&[("AGENTICAI_SERVER_PORT", "")]))), 2);
    assert_eq!(port(load_text("", vec![], env(&[]))), 8000);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place_and_a_hint() {
    let text = "dat_dir = 'x'\n[server]\nprot = 1\nport = 70000\n[log]\nformat = 'jsn'\n\
                [providers.a]\ndialect = 'openia'\nurl = 'ftp://x'\nkey = 'k'\n\
                [[prices]]\nmodel = 'm'\ninput = -1\n[mcp.m]\n[worker]\nconcurrency = 'many'\n[models\n";
    let flags = vec![FlagValue { path: "worker.drain_seconds", flag: "--drain", value: "soon".into() }];
    let environment = env(&[("AGENTICAI_MODELS_MAX_ATTEMPTS", "0")]);
    let found = load_text(text, flags, environment).unwrap_err().to_string();
    for part in [
        "agenticai.toml:1: `dat_dir` is no setting; did you mean `data_dir`?",
        "agenticai.toml:3: `server.prot` is no setting; did you mean `server.port`?",
        "agenticai.toml:4: `server.port` must be a whole number from 0 to 65535",
        "agenticai.toml:6: `log.format` is `jsn` and must be one of text, json; did you mean `json`?",
        "agenticai.toml:8: `providers.a.dialect` is `openia`",
        "agenticai.toml:9: `providers.a.url` must start with",
        "agenticai.toml:10: `providers.a.key` is no setting; there are dialect, url",
        "agenticai.toml:13: `prices[0].input` must be a number of dollars",
        "`prices[0].output` is missing",
        "agenticai.toml:14: `mcp.m` needs exactly one of",
        "agenticai.toml:16: `worker.concurrency` must be a whole number",
        "agenticai.toml:17: is no TOML",
        "flag --drain: `worker.drain_seconds` must be",
        "environment variable AGENTICAI_MODELS_MAX_ATTEMPTS: `models.max_attempts` must be",
    ] {
        assert!(found.contains(part), "`{part}` is missing in:\n{found}");
    }
    assert!(found.starts_with("14 mistakes"), "{found}");
}

#[test]
fn a_file_that_was_named_must_exist() {
    let found = load(vec![], env(&[]), Some("/no/such/agenticai.toml".into())).unwrap_err().to_string();
    assert!(found.contains("/no/such/agenticai.toml") && found.contains("cannot be read"), "{found}");
}

#[test]
fn keys_that_are_written_out_are_not_shown() {
    let text = "[providers.a]\ndialect = 'openai'\nurl = 'http://h/v1'\napi_key = 'sk-planted'\n\
                [mcp.m]\nurl = 'http://h'\nheaders = { Authorization = 'Bearer planted', X = '${secret:X}' }\n";
    let loaded = load_text(text, vec![], env(&[])).unwrap();
    let all = format!("{:?}", loaded.shown);
    assert!(!all.contains("planted"), "{all}");
    assert!(all.contains("${secret:X}"), "{all}");
    assert_eq!(loaded.settings.providers[0].api_key.as_deref(), Some("sk-planted"));
}

#[test]
fn addresses_have_usual_names_and_hidden_passwords() {
    let environment = env(&[
        ("DATABASE_URL", "postgres://ada:planted@db/d?sslmode=require"),
        ("AGENTICAI_REDIS_URL", "redis://own"),
        ("REDIS_URL", "redis://other"),
        ("RABBITMQ_URL", "amqp://u:pl%40nted@mq/v"),
        ("AGENTICAI_DATABASE_UNNAMED_STATEMENTS", "true"),
    ]);
    let loaded = load(vec![], environment, None).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.database.url.as_deref(), Some("postgres://ada:planted@db/d?sslmode=require"));
    assert_eq!(settings.redis.server.url.as_deref(), Some("redis://own"));
    assert!(settings.database.unnamed_statements && settings.cluster.pre_stop.is_none());
    let shown = format!("{:?}", loaded.shown);
    assert!(!shown.contains("planted") && !shown.contains("nted@"), "{shown}");
    assert!(shown.contains("postgres://ada:(hidden)@db/d?sslmode=require"), "{shown}");
}

#[test]
fn the_environment_is_remarked_upon() {
    let environment = env(&[
        ("CHROMA_URL", "http://x"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("AGENTICAI_SERVR_PORT", "1"),
        ("AGENTICAI_SERVICE_HOST", "10.0.0.1"),
        ("AGENTICAI_EGRESS_ALLOW", "*.example.com, 10.0.0.0/8"),
    ]);
    let loaded = load(vec![], environment, None).unwrap();
    assert_eq!(loaded.settings.egress_allow, ["*.example.com", "10.0.0.0/8"]);
    assert_eq!(loaded.remarks.len(), 2, "{:?}", loaded.remarks);
    assert!(loaded.remarks[0].contains("CHROMA_URL") && !loaded.remarks[0].contains("OTEL"));
    assert!(loaded.remarks[1].contains("did you mean AGENTICAI_SERVER_PORT"));
    assert_eq!(loaded.unknown, ["AGENTICAI_SERVICE_HOST", "AGENTICAI_SERVR_PORT"]);
}

/// Providers, prices and MCP servers stand in the file: a variable says nothing of them.
#[test]
fn what_only_a_file_can_hold_is_unknown_in_the_environment() {
    let names = ["AGENTICAI_MCP", "AGENTICAI_PRICES", "AGENTICAI_PROVIDERS"];
    let mut environment = env(&names.map(|name| (name, "x")));
    environment.extend(known_settings().iter().map(|path| (super::layers::env_name(path), String::new())));
    assert_eq!(load(vec![], environment, None).unwrap().unknown, names);
}

/// What a chart sets through its ConfigMap.
#[test]
fn a_cluster_has_many_settings() {
    let environment = env(&[
        ("AGENTICAI_DATABASE_URL", "postgres://a@db/d"),
        ("AGENTICAI_DATABASE_PASSWORD_FILE", "/run/secrets/database"),
        ("AGENTICAI_RABBITMQ_URL", "amqp://a@mq/v"),
        ("AGENTICAI_RABBITMQ_PASSWORD_FILE", "/run/secrets/rabbitmq"),
        ("AGENTICAI_REDIS_URL", "redis://cache"),
        ("AGENTICAI_REDIS_PASSWORD_FILE", "/run/secrets/redis"),
    ]);
    let loaded = load(vec![], environment, None).unwrap();
    assert!(loaded.shown.len() >= 45, "{}: {:?}", loaded.shown.len(), shown(&loaded));
    let settings = loaded.settings;
    assert_eq!(settings.rabbitmq.server.password_file.unwrap().to_str(), Some("/run/secrets/rabbitmq"));
    assert_eq!(settings.redis.server.password_file.unwrap().to_str(), Some("/run/secrets/redis"));
}
