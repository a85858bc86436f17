//! Streams that are read in one process while the task runs in another.

use std::time::Duration;

use agenticai_broker::Live;
use agenticai_domain::ids::StepId;
use tokio::time::timeout;

use super::{Pair, SOON, next, task, token, until};

/// A new reader is known elsewhere within this time even if its first announcement is lost, and one that left is
/// forgotten.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(8);

/// Events of a task arrive as they were published.
pub async fn events_cross_in_order(pair: Pair) {
    let task = task();
    let mut reader = pair.two.subscribe(task);
    until("a reader is known", KNOWN_WITHIN, || pair.one.has_readers(task)).await;
    let started = Live::Started { step: StepId::call(1, 0), name: "tool".into(), epoch: 3 };
    let events = [started, token(0, "Grüße"), Live::Appended { last_seq: u64::from(u32::MAX) + 7 }];
    events.iter().for_each(|event| pair.one.publish(task, event.clone()));
    for event in events {
        assert_eq!(*next(&mut reader).await, event);
    }
}

/// Pieces may be joined on the way; the text is the same.
pub async fn pieces_of_an_answer_cross_whole(pair: Pair) {
    let task = task();
    let mut reader = pair.two.subscribe(task);
    until("a reader is known", KNOWN_WITHIN, || pair.one.has_readers(task)).await;
    let mut sent = String::new();
    for number in 0..200 {
        let piece = format!("{number}é\u{0}\"");
        pair.one.publish(task, token(sent.chars().count() as u64, &piece));
        sent += &piece;
        if number % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let mut heard = String::new();
    while heard != sent {
        let event = next(&mut reader).await;
        let Live::Token(piece) = &*event else { panic!("{event:?} was not sent") };
        assert_eq!(piece.offset, heard.chars().count() as u64, "a piece is missing");
        heard += &piece.text;
    }
}

/// Whoever repeats an event disturbs nobody.
pub async fn an_event_that_comes_twice_does_no_harm(pair: Pair) {
    let task = task();
    let mut reader = pair.two.subscribe(task);
    until("a reader is known", KNOWN_WITHIN, || pair.one.has_readers(task)).await;
    for _ in 0..2 {
        pair.one.publish(task, token(0, "twice"));
    }
    pair.one.publish(task, Live::Appended { last_seq: 1 });
    while *next(&mut reader).await != (Live::Appended { last_seq: 1 }) {}
}

/// Tokens are wanted while somebody reads, wherever, and not longer.
pub async fn readers_are_known_elsewhere_and_forgotten(pair: Pair) {
    let task = task();
    assert!(!pair.one.has_readers(task));
    let reader = pair.two.subscribe(task);
    until("a reader is known", KNOWN_WITHIN, || pair.one.has_readers(task)).await;
    // It stays known for as long as it reads.
    tokio::time::sleep(FORGOTTEN_WITHIN).await;
    assert!(pair.one.has_readers(task), "a reader is forgotten");
    drop(reader);
    until("a reader that left is forgotten", FORGOTTEN_WITHIN, || !pair.one.has_readers(task)).await;
}

/// A stream carries one task.
pub async fn readers_of_other_tasks_hear_nothing(pair: Pair) {
    let (task, other) = (task(), task());
    let (mut reader, mut bystander) = (pair.two.subscribe(task), pair.two.subscribe(other));
    until("the readers are known", KNOWN_WITHIN, || {
        pair.one.has_readers(task) && pair.one.has_readers(other)
    })
    .await;
    pair.one.publish(task, token(0, "secret"));
    next(&mut reader).await;
    assert!(timeout(SOON / 10, bystander.recv()).await.is_err(), "another task's event is heard");
}
