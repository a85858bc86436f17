use crate::home::Home;

/// The command that a run prints for `flag`, without the program's name.
fn printed_command(err: &str, flag: &str) -> Vec<String> {
    let line =
        err.lines().find(|line| line.contains(" task ") && line.contains(flag)).expect("a line to type");
    let from = line.find(" task ").unwrap();
    line[from..].split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}

#[test]
fn where_nobody_can_be_asked_a_run_says_what_to_type_and_that_works() {
    let home = Home::new();
    let agent = home.file(
        "agent.yaml",
        "name: careful\nmodel: practice\ntools: [{builtin: calculator, approval: always}]\n",
    );
    let _server = home.up();
    for (flag, wanted) in [("--approve", "42"), ("--reject", "")] {
        let run = home.run(&["run", "-f", &agent, "Use the calculator: 6 * 7"]);
        assert_eq!(run.code, 6, "{run:?}");
        let command = printed_command(&run.err, flag);
        home.ok(&command.iter().map(String::as_str).collect::<Vec<_>>());
        let watched = home.run(&["task", "watch", &command[2]]);
        assert_eq!(watched.code, 0, "{watched:?}");
        assert!(watched.out.contains(wanted), "{watched:?}");
    }
}

#[test]
fn a_question_is_answered_and_a_second_answer_is_refused() {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: asker\nkind: tool\ntools: [ask_human]\n");
    let _server = home.up();
    let run = home.run(&["run", "-f", &agent, "--input", "{\"question\": \"Which colour?\"}"]);
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.err.contains("Which colour?"), "{run:?}");
    let command = printed_command(&run.err, "--value");
    let id = command[2].clone();
    home.ok(&["task", "signal", &id, "--step", "1.0", "--value", "blue"]);
    assert!(home.ok(&["task", "watch", &id]).contains("blue"));
    let late = home.run(&["task", "signal", &id, "--step", "1.0", "--value", "red"]);
    assert_eq!(late.code, 1, "{late:?}");
}

#[test]
fn an_event_from_outside_is_sent() {
    let home = Home::new();
    let agent = home.file("agent.yaml", "name: waiter\nkind: tool\ntools: [wait_signal]\n");
    let _server = home.up();
    let id =
        home.ok(&["run", "-f", &agent, "--no-wait", "--input", "{\"name\": \"paid\"}"]).trim().to_owned();
    home.ok(&["task", "signal", &id, "--event", "paid", "--payload", "{\"cents\": 7}"]);
    assert!(home.ok(&["task", "watch", &id]).contains("cents"));
}
