//! Schedules against a real server that is killed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::home::Home;

/// A server's user with an agent whose tasks end at once.
fn home_with_agent() -> (Home, String) {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: tick\nkind: tool\ntools: [now]\n");
    (home, agent)
}

fn every_second(home: &Home, name: &str, more: &[&str]) {
    let mut args = vec!["schedule", "create", name, "--cron", "* * * * * *", "--agent", "tick"];
    args.extend(["--input", "{}"]);
    args.extend(more);
    home.ok(&args);
}

/// What came of its firings, oldest first.
fn firings(home: &Home, name: &str) -> Vec<Value> {
    let shown = home.json(&["schedule", "show", name, "--firings", "1000"]);
    let mut firings = shown["firings"].as_array().unwrap().clone();
    firings.reverse();
    firings
}

fn seconds(firings: &[Value]) -> Vec<i64> {
    let second =
        |firing: &Value| firing["due_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    firings.iter().map(second).collect()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[test]
fn no_occurrence_is_fired_twice_or_lost_across_kill_9() {
    let (home, agent) = home_with_agent();
    let mut server = home.up();
    home.ok(&["agent", "apply", "-f", &agent]);
    every_second(&home, "all", &["--overlap", "queue", "--catch-up", "all"]);
    every_second(&home, "none", &["--overlap", "queue", "--catch-up", "none"]);
    let fired = |least: usize| {
        home.wait_for("firings", || ["all", "none"].iter().all(|name| firings(&home, name).len() >= least));
    };
    fired(3);
    // Killed and started at once, then after an outage that is longer than what still counts as in time.
    server.kill();
    let mut server = home.up();
    fired(firings(&home, "all").len() + 2);
    server.kill();
    let killed = now();
    std::thread::sleep(Duration::from_secs(9));
    let started = now();
    let _server = home.up();
    home.wait_for("firings after the outage", || {
        ["all", "none"]
            .iter()
            .all(|name| seconds(&firings(&home, name)).last().is_some_and(|at| *at > started + 1))
    });
    for name in ["all", "none"] {
        home.ok(&["schedule", "pause", name]);
    }
    home.ok(&["schedule", "resume", "all"]);
    home.wait_for("the end of the queue", || {
        firings(&home, "all").iter().all(|firing| firing["state"] != "queued")
    });
    home.ok(&["schedule", "pause", "all"]);

    for name in ["all", "none"] {
        let fired = firings(&home, name);
        let times = seconds(&fired);
        assert!(times.is_sorted_by(|one, next| one < next), "{name}: each once, in order: {times:?}");
        let created: BTreeSet<&str> = fired.iter().filter_map(|firing| firing["task"].as_str()).collect();
        let filter = format!("schedule={name}");
        let list = home.json(&["task", "list", "--metadata", &filter, "--limit", "1000"]);
        let tasks: BTreeSet<&str> =
            list["items"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap()).collect();
        assert_eq!(tasks, created, "{name}: one task for a firing");
    }
    // A pause and a resume may have passed over a second at the end.
    let times = seconds(&firings(&home, "all"));
    let until = times.iter().position(|at| *at > started).unwrap();
    assert!(times[..until].windows(2).all(|pair| pair[1] == pair[0] + 1), "`all` has no hole: {times:?}");
    let missed = |at: &&i64| (killed + 1..started - 5).contains(*at);
    assert!(times.iter().filter(missed).count() >= 2, "`all` made up for the outage: {times:?}");
    let times = seconds(&firings(&home, "none"));
    assert_eq!(times.iter().filter(missed).count(), 0, "`none` did not: {times:?}");
}

#[test]
fn replace_cancels_what_is_still_running() {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: tick\nkind: tool\ntools: [sleep]\n");
    let mut server = home.up();
    home.ok(&["agent", "apply", "-f", &agent]);
    let args = ["schedule", "create", "slow", "--cron", "@yearly", "--agent", "tick", "--overlap", "replace"];
    home.ok(&[&args[..], &["--input", r#"{"seconds": 3600}"#]].concat());
    let first = home.ok(&["schedule", "trigger", "slow"]).trim().to_owned();
    home.wait_for("the wait", || home.json(&["task", "show", &first])["status"] == "waiting");
    // Killed behind the trigger: whoever comes next cancels the old task and starts the new one.
    let trigger = home.run(&["schedule", "trigger", "slow"]);
    server.kill();
    assert_eq!((trigger.code, trigger.out.as_str()), (0, ""), "{trigger:?}");
    let _server = home.up();
    home.wait_for("the second task", || {
        let last = home.json(&["schedule", "show", "slow"])["schedule"]["last_task"].clone();
        last.as_str().is_some_and(|task| task != first)
    });
    let ended = home.json(&["task", "show", &first]);
    assert_eq!(ended["status"], "cancelled");
    assert!(ended["error"]["message"].as_str().is_some_and(|why| why.contains("`slow`")), "{ended}");
    let states: Vec<Value> = firings(&home, "slow").iter().map(|firing| firing["state"].clone()).collect();
    assert_eq!(states, ["created", "created"]);
}

#[test]
fn schedules_are_steered_from_the_command_line() {
    let (home, agent) = home_with_agent();
    let _server = home.up();
    home.ok(&["agent", "apply", "-f", &agent]);
    let create =
        ["schedule", "create", "nightly", "--cron", "30 2 * * *", "--agent", "tick", "--input", "{}"];
    let said = home.ok(&[&create[..], &["--timezone", "Europe/Berlin", "--metadata", "team=red"]].concat());
    assert!(said.contains("nightly fires first at"), "{said}");
    assert_eq!(home.run(&create).code, 1, "the name is taken");
    let bad =
        home.run(&["schedule", "create", "x", "--cron", "61 * * * *", "--agent", "tick", "--input", "{}"]);
    assert!(bad.code == 2 && bad.err.contains("0 9 * * MON-FRI"), "{bad:?}");
    assert!(home.ok(&["schedule", "list"]).contains("Europe/Berlin"));
    let next = home.ok(&["schedule", "next", "nightly", "-n", "3"]);
    assert_eq!(next.lines().filter(|line| line.ends_with("[Europe/Berlin]")).count(), 3, "{next}");
    assert_eq!(home.json(&["schedule", "pause", "nightly"])["paused"], true);
    let task = home.ok(&["schedule", "trigger", "nightly"]).trim().to_owned();
    home.wait_for("the task", || home.json(&["task", "show", &task])["status"] == "completed");
    let shown = home.ok(&["schedule", "show", "nightly"]);
    for part in ["paused", "trigger", "created", &task] {
        assert!(shown.contains(part), "`{part}` is missing in {shown}");
    }
    assert_eq!(home.json(&["schedule", "resume", "nightly"])["paused"], false);
    assert_eq!(home.json(&["schedule", "delete", "nightly"])["deleted"], "nightly");
    assert_eq!(home.run(&["schedule", "show", "nightly"]).code, 1);
    assert_eq!(home.json(&["task", "show", &task])["metadata"]["schedule"], "nightly");
}
