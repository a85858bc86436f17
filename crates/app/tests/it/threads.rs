//! Threads against a real server that is killed.

use serde_json::Value;

use crate::home::Home;

/// A server's user with an agent that sleeps, which takes a turn's time.
fn home_with_sleeper() -> (Home, String) {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: sleeper\nmodel: practice\ntools: [sleep]\n");
    (home, agent)
}

fn prompt(seconds: u32) -> String {
    format!("Use sleep for {seconds} seconds")
}

fn ask(home: &Home, thread: &str, seconds: u32, more: &[&str]) -> String {
    let prompt = prompt(seconds);
    let args = ["run", "--agent", "sleeper", "--no-wait", "--thread", thread, &prompt];
    home.ok(&[&args[..], more].concat()).trim().to_owned()
}

fn task(home: &Home, id: &str) -> Value {
    home.json(&["task", "show", id])
}

#[test]
fn a_queue_keeps_its_order_across_kill_9() {
    let (home, agent) = home_with_sleeper();
    let mut server = home.up();
    home.ok(&["agent", "apply", "-f", &agent]);
    assert_eq!(home.ok(&["thread", "create", "talk"]).trim().len(), 36);
    let ids: Vec<String> = (0..5).map(|_| ask(&home, "talk", 1, &[])).collect();
    for end in [0, 2] {
        // Killed while one of them has its turn and others wait for theirs.
        home.wait_for("an end", || task(&home, &ids[end])["status"] == "completed");
        home.wait_for("the next turn", || task(&home, &ids[end + 1])["status"] == "waiting");
        assert_eq!(task(&home, &ids[end + 2])["thread"]["queue_place"], 1);
        server.kill();
        server = home.up();
    }
    home.wait_for("the end of the queue", || task(&home, &ids[4])["status"] == "completed");
    let tasks: Vec<Value> = ids.iter().map(|id| task(&home, id)).collect();
    for (one, next) in tasks.iter().zip(&tasks[1..]) {
        assert_eq!((&one["status"], &next["status"]), (&"completed".into(), &"completed".into()));
        let (ended, started) = (one["completed_at"].as_str().unwrap(), next["started_at"].as_str().unwrap());
        assert!(ended <= started, "one after another: {ended} and {started}");
    }
    for id in &ids {
        let journal = home.json(&["task", "show", id, "--journal"]);
        let types: Vec<&Value> =
            journal["items"].as_array().unwrap().iter().map(|entry| &entry["entry"]["type"]).collect();
        assert_eq!(types, ["turn", "timer_fired", "turn"], "each step once");
    }
    let shown = home.json(&["thread", "show", "talk"]);
    assert_eq!((&shown["thread"]["active"], shown["tasks"].as_array().unwrap().len()), (&Value::Null, 5));
    home.ok(&["thread", "delete", "talk"]);
    assert_eq!(home.json(&["thread", "list"])["items"], Value::Array(vec![]));
    server.kill();
}

#[test]
fn replace_is_finished_by_whoever_comes_next() {
    let (home, agent) = home_with_sleeper();
    let mut server = home.up();
    home.ok(&["agent", "apply", "-f", &agent]);
    let old: Vec<String> = (0..2).map(|_| ask(&home, "talk", 3600, &[])).collect();
    home.wait_for("the wait", || task(&home, &old[0])["status"] == "waiting");
    let prompt = prompt(1);
    let more = ["--thread", "talk", "--if-active", "reject"];
    let refused = home.run(&[&["run", "--agent", "sleeper", "--no-wait", &prompt][..], &more].concat());
    assert!(refused.code != 0 && refused.err.contains(&old[0]), "{refused:?}");
    let new = ask(&home, "talk", 1, &["--if-active", "replace"]);
    server.kill();
    let _server = home.up();
    home.wait_for("the new one's end", || task(&home, &new)["status"] == "completed");
    for id in &old {
        assert_eq!(task(&home, id)["status"], "cancelled");
    }
}
