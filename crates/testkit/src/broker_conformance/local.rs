//! What holds within a process, whatever connects it with others.

use std::time::Duration;

use agenticai_broker::{Live, Poke};
use agenticai_domain::ids::StepId;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout};

use super::{Pair, SOON, next, task, token};

/// A worker hears of work that its own process creates.
pub async fn a_hint_wakes_its_own_process(pair: Pair) {
    let one = pair.one.clone();
    let waiting = tokio::spawn(async move { one.hinted().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    pair.one.hint();
    timeout(SOON, waiting).await.expect("the hint is lost").unwrap();
}

/// A hint between two waits is heard by the second.
pub async fn a_hint_given_while_nobody_waited_is_kept(pair: Pair) {
    pair.one.hint();
    tokio::time::sleep(Duration::from_millis(100)).await;
    timeout(SOON, pair.one.hinted()).await.expect("the hint is lost");
}

/// A process reads its own streams without a detour, and in order.
pub async fn events_reach_readers_of_the_same_process(pair: Pair) {
    let task = task();
    let mut reader = pair.one.subscribe(task);
    assert!(pair.one.has_readers(task));
    let started = Live::Started { step: StepId::model(1), name: "m".into(), epoch: 1 };
    let events = [started, token(0, "Let"), token(3, "ters"), Live::Appended { last_seq: 4 }];
    events.iter().for_each(|event| pair.one.publish(task, event.clone()));
    for event in events {
        assert_eq!(*next(&mut reader).await, event);
    }
}

/// Tokens are not made for nobody.
pub async fn a_stream_that_nobody_reads_wants_nothing(pair: Pair) {
    let task = task();
    assert!(!pair.one.has_readers(task));
    pair.one.publish(task, token(0, "unheard"));
    drop(pair.one.subscribe(task));
    assert!(!pair.one.has_readers(task), "a reader that left counts");
}

/// A slow reader holds nobody up, and knows what it has missed.
pub async fn a_reader_that_lags_is_told(pair: Pair) {
    let task = task();
    let mut reader = pair.one.subscribe(task);
    (0..10_000).for_each(|seq| pair.one.publish(task, Live::Appended { last_seq: seq }));
    let told = timeout(SOON, reader.recv()).await.expect("nothing came");
    assert!(matches!(told, Err(RecvError::Lagged(_))), "{told:?}");
}

/// A task may be held by the process that pokes.
pub async fn pokes_reach_their_own_process(pair: Pair) {
    let mut pokes = pair.one.pokes();
    for poke in [Poke::Inbox(task()), Poke::Ended(task())] {
        pair.one.poke(poke);
        assert_eq!(next(&mut pokes).await, poke);
    }
}

/// Whatever is sent, however much, returns at once. The runtime has one thread, so nothing can be sent meanwhile.
pub async fn callers_never_wait(pair: Pair) {
    let task = task();
    let _reader = pair.two.subscribe(task);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    for number in 0..20_000 {
        pair.one.hint();
        pair.one.publish(task, token(number * 4, "text"));
        pair.one.poke(Poke::Inbox(task));
    }
    assert!(began.elapsed() < Duration::from_secs(3), "60,000 calls took {:?}", began.elapsed());
}
