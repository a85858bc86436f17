//! Hints between processes.

use tokio::time::timeout;

use super::{Pair, SOON, drain_hints, wake_each_other};

/// What one process creates wakes a worker in another.
pub async fn a_hint_wakes_another_process(pair: Pair) {
    wake_each_other(&*pair.one, &*pair.two).await;
    for _ in 0..3 {
        pair.one.hint();
        timeout(SOON, pair.two.hinted()).await.expect("the hint is lost");
        drain_hints(&*pair.two).await;
    }
}

/// Creating very many tasks costs few messages, and waking ends when hints do.
pub async fn hints_in_plenty_are_few_messages(pair: Pair) {
    wake_each_other(&*pair.one, &*pair.two).await;
    for _ in 0..100 {
        (0..500).for_each(|_| pair.one.hint());
        tokio::task::yield_now().await;
    }
    let hints = drain_hints(&*pair.two).await;
    assert!((1..2_000).contains(&hints), "50,000 hints woke {hints} times");
}
