use crate::home::{Home, Process};

#[test]
fn nobody_there_is_3_and_says_what_to_do() {
    let home = Home::new();
    let printed = home.run(&["task", "list"]);
    assert_eq!(printed.code, 3, "{printed:?}");
    assert!(printed.err.contains("agenticai up"), "{printed:?}");
    let named = home.run(&["run", "--url", &home.url(), "hello"]);
    assert_eq!(named.code, 3, "{named:?}");
}

#[test]
fn a_wrong_key_is_4() {
    let home = Home::new();
    let _server = home.up();
    let printed = home.run(&["--url", &home.url(), "--api-key", "ak_wrong", "task", "list"]);
    assert_eq!(printed.code, 4, "{printed:?}");
    let other = Home::new();
    let printed = other.run(&["--url", &home.url(), "task", "list"]);
    assert_eq!(printed.code, 4, "{printed:?}");
    assert!(printed.err.contains("--data-dir"), "{printed:?}");
}

#[test]
fn a_failed_task_is_1_and_a_cancelled_one_5() {
    let home = Home::new();
    let failing = home.file("failing.yaml", "name: failing\nkind: tool\ntools: [calculator]\n");
    let patient = home.file("patient.yaml", "name: patient\nkind: tool\ntools: [sleep]\n");
    let _server = home.up();
    let failed = home.run(&["run", "-f", &failing, "--input", "{\"expression\": \"1 +* 2\"}"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    home.ok(&["agent", "apply", "-f", &patient]);
    let args = ["run", "--agent", "patient", "--input", "{\"seconds\": 600}"];
    let mut run = Process(home.command(&args).spawn().unwrap());
    let mut id = String::new();
    home.wait_for("the task", || {
        let page = home.json(&["task", "list", "--agent", "patient"]);
        id = page["items"][0]["id"].as_str().unwrap_or_default().to_owned();
        !id.is_empty()
    });
    home.ok(&["task", "cancel", &id]);
    assert_eq!(run.end().0, 5);
}

#[test]
fn wrong_input_is_2_and_names_every_mistake() {
    let home = Home::new();
    let bad = home.file("bad.yaml", "name: Bad!\nmodel: m\nlimits: {max_steps: 0}\n");
    let printed = home.run(&["agent", "apply", "-f", &bad]);
    assert_eq!(printed.code, 2, "{printed:?}");
    assert!(printed.err.contains("name:") && printed.err.contains("limits.max_steps"), "{printed:?}");
    assert_eq!(home.run(&["run"]).code, 2);
    assert_eq!(home.run(&["task", "show", "no-uuid"]).code, 2);
    assert_eq!(home.run(&["run", "--input", "{", "--json"]).code, 2);
}

#[test]
fn with_json_a_failure_is_one_document_too() {
    let home = Home::new();
    let _server = home.up();
    let printed = home.run(&["agent", "show", "nobody", "--json"]);
    assert_eq!(printed.code, 1, "{printed:?}");
    let document: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(document["error"]["status"], 404);
}
