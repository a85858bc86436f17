#![allow(clippy::unwrap_used)]

use serde_json::json;

use agenticai_wire::JournalEntryView;

use super::*;

fn entry(seq: u64, entry: Value) -> Event {
    // What a test writes must be an entry: the story passes over what it does not know.
    serde_json::from_value::<Entry>(entry.clone()).unwrap();
    Event::Entry(JournalEntryView { seq, epoch: 1, at: "2026-01-01T00:00:00.000Z".into(), entry })
}

fn turn(turn: u32, provider: &str, text: &str, calls: Value) -> Event {
    entry(
        u64::from(turn),
        json!({
            "type": "turn", "turn": turn,
            "request": {"provider": provider, "model": "m-1", "dialect": "openai", "format": 1, "sha256": "00"},
            "outcome": {"result": "answer", "text": text, "calls": calls},
            "spend": {"input_tokens": 1200, "output_tokens": 7, "cost": 2_000_000},
            "attempts": 2, "took_ms": 1500,
        }),
    )
}

fn token(attempt: u32, offset: u64, text: &str) -> Event {
    Event::Token(TokenEvent { step: StepId::model(1), epoch: 1, attempt, offset, text: text.into() })
}

fn story(model: &str) -> Story {
    Story::new(Style::new(false), Some(model.to_owned()))
}

/// Everything shown but what is merely going on.
fn shown(story: &mut Story, events: &[Event]) -> Vec<Show> {
    events.iter().flat_map(|event| story.tell(event)).filter(|show| !matches!(show, Show::Busy(_))).collect()
}

fn lines(story: &mut Story, events: &[Event]) -> String {
    let line = |show| match show {
        Show::Line(line) => Some(line),
        _ => None,
    };
    shown(story, events).into_iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_turn_with_calls_is_told_in_lines() {
    let calls = json!([
        {"id": "a", "name": "calculator", "arguments": {"expression": "1+1"}},
        {"id": "b", "name": "gone", "arguments": {}, "rejected": "there is no such tool"},
    ]);
    let ended = json!({"type": "call_ended", "step": "1.0", "outcome": {"result": "ok", "content": "2"}, "attempts": 1, "took_ms": 3});
    let told = lines(&mut story("m-1"), &[turn(1, "local", "Let me see.", calls), entry(2, ended)]);
    assert_eq!(
        told,
        "1    Let me see.\n\
         1    m-1  1.5 s · 1,200 tokens in, 7 out · 2 attempts · $0.002000\n\
         1.1  gone {} not performed: there is no such tool\n\
         1.0  calculator {\"expression\":\"1+1\"} → 2  3 ms"
    );
}

#[test]
fn the_last_answer_is_left_to_the_end() {
    assert!(!lines(&mut story("m-1"), &[turn(1, "local", "The answer.", json!([]))]).contains("The answer."));
}

#[test]
fn who_serves_a_name_is_said_once_where_it_is_not_its_own_provider() {
    let two = [turn(1, "compatible", "", json!([])), turn(2, "compatible", "", json!([]))];
    let told = lines(&mut story("gpt-5-mini"), &two);
    assert_eq!(told.matches("gpt-5-mini is served by compatible as m-1").count(), 1, "{told}");
    assert!(
        lines(&mut story("gpt-5-mini"), &[turn(1, "practice", "", json!([]))]).contains("practice model")
    );
    assert!(!lines(&mut story("m-1"), &[turn(1, "local", "", json!([]))]).contains("served"));
}

#[test]
fn tokens_are_shown_once_whatever_is_sent_again() {
    let events =
        [token(1, 0, "Hé"), token(1, 2, "llo"), token(1, 2, "llo"), token(1, 3, "lo you"), token(1, 0, "H")];
    let pieces: String = shown(&mut story("m"), &events)
        .into_iter()
        .map(|show| match show {
            Show::Piece(text) => text,
            other => format!("<{other:?}>"),
        })
        .collect();
    assert_eq!(pieces, "Héllo you");
}

#[test]
fn a_newer_attempt_voids_the_older_one_and_not_the_other_way_round() {
    let events = [token(1, 0, "old"), token(2, 0, "new"), token(1, 3, "er")];
    let piece = |text: &str| Show::Piece(text.to_owned());
    assert_eq!(shown(&mut story("m"), &events), [piece("old"), Show::Void, piece("new")]);
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let ended = json!({"type": "call_ended", "step": "1.0", "attempts": 1, "took_ms": 3,
        "outcome": {"result": "error", "code": "http_500", "message": "a\u{1b}[2Jb"}});
    let told = shown(&mut story("m"), &[token(1, 0, "x\u{1b}[2J\n"), entry(1, ended)]);
    assert!(told.iter().all(|show| !format!("{show:?}").contains("u{1b}")), "{told:?}");
}

#[test]
fn an_unknown_entry_is_passed_over() {
    let unknown =
        JournalEntryView { seq: 1, epoch: 1, at: String::new(), entry: json!({"type": "of_the_future"}) };
    assert_eq!(shown(&mut story("m"), &[Event::Entry(unknown)]), []);
}
