use crate::home::Home;

#[test]
fn every_mistake_stops_every_command_and_all_are_named() {
    let home = Home::new();
    let file = home.file("agenticai.toml", "[server]\nprot = 1\n[log]\nlevel = \"loud\"\n");
    for command in [&["up"][..], &["run", "x"], &["task", "list"], &["config", "show"]] {
        let mut args = vec!["--config", file.as_str()];
        args.extend(command);
        let printed = Home::run(&home, &args);
        assert_eq!(printed.code, 2, "{command:?}: {printed:?}");
        assert!(
            printed.err.contains("agenticai.toml:2") && printed.err.contains("did you mean"),
            "{printed:?}"
        );
        assert!(printed.err.contains("agenticai.toml:4"), "{printed:?}");
    }
    let doctor = home.run(&["doctor", "--config", &file]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.out.contains("agenticai.toml:2"), "{doctor:?}");
}

#[test]
fn secrets_are_never_shown() {
    let home = Home::new();
    let file = home.file(
        "agenticai.toml",
        "[providers.a]\ndialect = \"openai\"\nurl = \"http://127.0.0.1:9/v1\"\napi_key = \"planted-in-file\"\n",
    );
    for command in [&["config", "show"][..], &["config", "show", "--json"], &["doctor"], &["--help"]] {
        let mut args = vec!["--config", file.as_str()];
        args.extend(command);
        let output = home
            .command(&args)
            .env("OPENAI_API_KEY", "planted-in-environment")
            .env("AGENTICAI_API_KEY", "planted-as-well")
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains("planted"), "{command:?}: {text}");
    }
    let shown = home.ok(&["config", "show"]);
    assert!(shown.contains("AGENTICAI_SERVER_PORT"), "{shown}");
}

#[test]
fn the_default_file_can_be_used_as_it_is_printed() {
    let home = Home::new();
    let file = home.file("agenticai.toml", &home.ok(&["config", "default"]));
    home.ok(&["config", "show", "--config", &file]);
}

#[test]
fn no_file_is_read_from_the_working_directory() {
    let home = Home::new();
    home.file("agenticai.toml", "nonsense");
    home.ok(&["config", "show"]);
}

#[test]
fn what_this_version_does_not_use_is_said() {
    let home = Home::new();
    let output =
        home.command(&["config", "show"]).env("DATABASE_URL", "postgres://u:planted@h/d").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("DATABASE_URL") && !text.contains("planted"), "{text}");
}

/// So that a test finds a slip in what a chart sets.
#[test]
fn variables_that_mean_nothing_are_listed() {
    let home = Home::new();
    let output = home
        .command(&["config", "show", "--json"])
        .envs([("AGENTICAI_WORKER_POL_MS", "250"), ("AGENTICAI_WORKER_POLL_MS", "250")])
        .output()
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["unknown"], serde_json::json!(["AGENTICAI_WORKER_POL_MS"]));
    let setting = serde_json::json!({
        "setting": "worker.poll_ms",
        "value": "250",
        "source": "environment variable AGENTICAI_WORKER_POLL_MS",
    });
    assert!(shown["settings"].as_array().unwrap().contains(&setting), "{shown}");
    let output = home.command(&["config", "show"]).env("AGENTICAI_NOTHING", "1").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("AGENTICAI_NOTHING"));
}

#[test]
fn completions_know_the_commands() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.ok(&["completions", shell]).contains("doctor"), "{shell}");
    }
}
