use std::process::Stdio;

use crate::home::{Home, Process};

const PROMPT: &str = "What is 17% of 2,340? Use the calculator.";

#[test]
fn the_first_start_makes_everything_and_the_second_finds_it_again() {
    let home = Home::new();
    let first = home.run(&["run", PROMPT]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.out.contains("397.8"), "{first:?}");
    assert!(first.err.contains("first start") && first.err.contains("practice model"), "{first:?}");
    let key = home.key();
    assert!(key.starts_with("ak_"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(home.data().join("api-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let second = home.run(&["run", PROMPT]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(!second.err.contains("first start"), "{second:?}");
    assert_eq!(home.key(), key);
}

#[test]
fn a_lost_key_file_is_replaced_and_the_tasks_are_still_there() {
    let home = Home::new();
    let id = home.json(&["run", PROMPT])["id"].as_str().unwrap().to_owned();
    let old = home.key();
    std::fs::remove_file(home.data().join("api-key")).unwrap();
    let again = home.run(&["run", PROMPT]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.err.contains("new API key"), "{again:?}");
    assert_ne!(home.key(), old);
    let _server = home.up();
    assert!(home.ok(&["task", "list"]).contains(&id));
}

#[test]
fn standard_output_holds_the_answer_alone_and_json_is_one_document() {
    let home = Home::new();
    let plain = home.run(&["run", PROMPT]);
    assert_eq!(plain.out.lines().count(), 1, "{plain:?}");
    assert!(plain.err.contains("calculator") && plain.err.contains("completed in"), "{plain:?}");
    assert!(!plain.err.contains('\u{1b}'), "no colours where no terminal reads: {plain:?}");
    let task = home.json(&["run", PROMPT]);
    assert_eq!(task["status"], "completed");
    assert_eq!(task["provider"], "practice");
}

#[test]
fn the_prompt_may_come_from_standard_input() {
    let home = Home::new();
    home.file("prompt", "Use the calculator: 6 * 7");
    let stdin = std::fs::File::open(home.path().join("prompt")).unwrap();
    let output = home.command(&["run", "-"]).stdin(Stdio::from(stdin)).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("42"));
}

#[test]
fn a_second_run_uses_the_first_ones_server_which_stays_until_both_have_ended() {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: patient\nmodel: practice\ntools: [sleep]\n");
    let run = |prompt: &str| Process(home.command(&["run", "-f", &agent, prompt]).spawn().unwrap());
    let mut first = run("Use sleep for 2 seconds");
    home.wait_for("the first one's task", || {
        home.run(&["task", "list", "--status", "waiting"]).out.contains("patient")
    });
    let mut second = run("Use sleep for 5 seconds");
    let (code, err) = second.end();
    assert_eq!(code, 0, "{err}");
    assert!(err.contains(&home.url()) && !err.contains("first start"), "{err}");
    let (code, err) = first.end();
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("Another command uses this server"), "{err}");
}

#[test]
fn a_port_that_another_program_has_is_no_obstacle() {
    let home = Home::new();
    let port = home.url().rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let printed = home.run(&["run", PROMPT]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(!printed.err.contains(&home.url()), "{printed:?}");
}

#[test]
fn an_interrupted_run_ends_cleanly_and_its_task_goes_on_with_the_next_server() {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: patient\nmodel: practice\ntools: [sleep, calculator]\n");
    let prompt = "Use sleep for 3 seconds, then use the calculator: 6 * 7";
    let mut run = Process(home.command(&["run", "-f", &agent, prompt]).spawn().unwrap());
    let mut id = String::new();
    home.wait_for("the task", || {
        let listed = home.run(&["task", "list", "--status", "waiting"]).out;
        id = listed.lines().nth(1).unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        !id.is_empty()
    });
    run.signal("INT");
    let (code, err) = run.end();
    assert_eq!(code, 130, "{err}");
    assert!(err.contains(&format!("task watch {id}")), "{err}");
    let _server = home.up();
    assert!(home.ok(&["task", "watch", &id]).contains("42"));
}
