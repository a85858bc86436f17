use crate::home::{Home, Process};

#[test]
fn a_task_survives_kill_9_and_goes_on_where_it_stood() {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: patient\nmodel: practice\ntools: [sleep, calculator]\n");
    let mut server = home.up();
    let prompt = "Use sleep for 2 seconds, then use the calculator: 6 * 7";
    let id = home.ok(&["run", "-f", &agent, "--no-wait", prompt]).trim().to_owned();
    home.wait_for("the wait", || home.json(&["task", "show", &id])["status"] == "waiting");
    let before = home.json(&["task", "show", &id, "--journal"])["items"].as_array().unwrap().clone();
    server.kill();
    let _server = home.up();
    assert!(home.ok(&["task", "watch", &id]).contains("42"));
    let after = home.json(&["task", "show", &id, "--journal"])["items"].as_array().unwrap().clone();
    assert_eq!(after[..before.len()], before[..], "what was committed stays as it was");
    for (i, entry) in after.iter().enumerate() {
        assert_eq!(entry["seq"], i + 1);
    }
}

#[test]
fn the_exact_request_of_a_model_call_is_shown_and_proved() {
    let home = Home::new();
    let _server = home.up();
    let id = home.json(&["run", "Use the calculator: 6 * 7"])["id"].as_str().unwrap().to_owned();
    for turn in ["1", "2"] {
        let request = home.run(&["task", "show", &id, "--step", turn, "--request"]);
        assert_eq!(request.code, 0, "{request:?}");
        let body: serde_json::Value = serde_json::from_str(&request.out).unwrap();
        assert!(body["messages"].is_array(), "{body}");
        let journal = home.json(&["task", "show", &id, "--step", turn]);
        let digest = journal["items"][0]["entry"]["request"]["sha256"].as_str().unwrap().to_owned();
        assert!(request.err.contains(&digest), "{request:?}");
    }
    assert_eq!(home.run(&["task", "show", &id, "--step", "1.0", "--request"]).code, 2);
}

#[test]
fn somebody_who_watches_sees_the_end_across_a_restart() {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: patient\nkind: tool\ntools: [sleep]\n");
    let mut server = home.up();
    let args = ["run", "-f", &agent, "--no-wait", "--input", "{\"seconds\": 4}"];
    let id = home.ok(&args).trim().to_owned();
    let mut watch = Process(home.command(&["task", "watch", &id]).spawn().unwrap());
    home.wait_for("the wait", || home.json(&["task", "show", &id])["status"] == "waiting");
    std::thread::sleep(std::time::Duration::from_millis(500));
    server.kill();
    let _server = home.up();
    let (code, err) = watch.end();
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("connection lost") && err.contains("connected again"), "{err}");
}
